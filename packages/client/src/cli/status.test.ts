import { expect, test } from "vitest";
import { agent, connection, id, incident, probe, probeState, run } from "../testing/sample-data.js";
import { testCli } from "../testing/test-cli.js";

const cli = testCli();
const { poppo, roots } = cli;

test("status sums up and shows what needs somebody", async () => {
  Object.assign(roots, {
    viewer: { kind: "token", name: "ana", role: "ADMIN" },
    processing: { paused: true, owner: "ben", reason: "migration", since: "2026-01-01T00:00:00Z" },
    incidents: ({ filter }: { filter: { statuses: string[] } }) =>
      connection(filter.statuses.length === 1 ? [] : [incident(3)]),
    agents: () => connection([agent()]),
    probeStates: ({ filter }: { filter?: unknown }) =>
      filter ? connection([probeState()]) : connection([], { totalCount: 14 }),
    remediationRuns: () => connection([run()]),
  });
  const { stdout, code } = await poppo(["status"]);
  expect(code).toBe(0);
  expect(stdout).toContain("1 open incident, 0 not acknowledged\n1 of 1 agent online, 1 of 14 checks not well");
  expect(stdout).toMatch(/paused by ben, \d+d ago: migration/);
  expect(stdout).toContain("/ is 97% full");
  expect(stdout).toContain(id(700));
  expect(JSON.parse((await poppo(["status", "--json"])).stdout)).toMatchObject({
    url: cli.server.url,
    waiting: { totalCount: 1 },
  });
});

test("what status, tokens and policies leave out is said", async () => {
  const total = { totalCount: 22, hasNextPage: true };
  const token = { id: id(1), name: "ci", role: "VIEWER", prefix: "poppo_api_ab", createdAt: "2026-01-01T00:00:00Z" };
  const policy = {
    id: id(2),
    probe: probe(),
    mode: "APPROVAL",
    cooldown: "10m",
    maxAttempts: 3,
    window: "24h",
    breakerAfter: 2,
    maxShare: 0.1,
    updatedAt: "2026-01-01T00:00:00Z",
    updatedBy: "ana",
  };
  Object.assign(roots, {
    viewer: { kind: "token", name: "ana", role: "ADMIN" },
    processing: { paused: false },
    incidents: () => connection([incident(3)], total),
    agents: () => connection([agent()]),
    probeStates: () => connection([probeState()], total),
    remediationRuns: () => connection([run()], total),
    apiTokens: () => connection([token], total),
    remediationPolicies: () => connection([policy], total),
  });
  const { stdout } = await poppo(["status"]);
  expect(stdout).toContain("1 of 22 shown; see `poppo-ops incidents list`.");
  expect(stdout).toContain("1 of 22 shown; see `poppo-ops probes list`.");
  expect(stdout).toContain("1 of 22 shown; see `poppo-ops remediations list --status awaiting-approval`.");
  for (const noun of ["tokens", "policies"])
    expect((await poppo([noun, "list"])).stdout).toContain("1 of 22 shown; --all shows every one.");
});
