import { expect, test } from "vitest";
import { severityOf, signalKey, toIncident } from "./signal.js";

const origin = {
  agent: { id: "a1", name: "host-a" },
  probe: {
    id: "p1",
    name: "docker",
    kind: "docker.containers",
    severity: "P1",
    category: "APPLICATION_CRASH",
    serviceId: "s1",
  } as const,
  item: "web-1",
};
const outcome = {
  status: "CRIT",
  summary: "exited with code 137",
  metrics: { restarts: [3, "1"] },
  evidence: { exitCode: 137 },
} as const;

test("an incident says what is wrong with what, where, and carries what was seen", () => {
  expect(toIncident(origin, outcome, "bad 3 times in a row")).toEqual({
    title: "docker web-1 on host-a: exited with code 137",
    description: "docker.containers reported CRIT: bad 3 times in a row.",
    severity: "P1",
    category: "APPLICATION_CRASH",
    serviceId: "s1",
    dedupKey: "probe:p1:a1:web-1",
    source: "probe",
    evidence: expect.objectContaining({ exitCode: 137, metrics: { restarts: [3, "1"] }, agentId: "a1", item: "web-1" }),
  });
});

test("a probe of one target names no item, and a long summary is cut", () => {
  const { title } = toIncident({ ...origin, item: "" }, { ...outcome, summary: "x".repeat(500) }, "");
  expect(title).toMatch(/^docker on host-a: x+$/);
  expect(title).toHaveLength(300);
  expect(signalKey({ ...origin, item: "" })).toBe("probe:p1:a1:");
});

test("a warning, and what nobody can tell, weigh one step less", () => {
  const of = (status: "CRIT" | "WARN" | "UNKNOWN" | "TIMEOUT") =>
    (["P0", "P1", "P2", "P3"] as const).map((severity) => severityOf(status, severity));
  expect(of("CRIT")).toEqual(["P0", "P1", "P2", "P3"]);
  expect(of("TIMEOUT")).toEqual(["P0", "P1", "P2", "P3"]);
  expect(of("WARN")).toEqual(["P1", "P2", "P3", "P3"]);
  expect(of("UNKNOWN")).toEqual(["P1", "P2", "P3", "P3"]);
});
