import { describe, expect, test } from "vitest";
import { signalRules } from "../signals/signal-rules.js";
import { leaseOf, nextMove, type RunView } from "./next-move.js";
import { ALLOWED_STEPS, RUN_STATUSES } from "./run.state.js";

const now = new Date("2026-05-01T12:00:00Z");
const ago = (seconds: number) => new Date(now.getTime() - seconds * 1000);
const ahead = (seconds: number) => ago(-seconds);

const queued: RunView = {
  id: "r1",
  status: "QUEUED",
  kind: "docker.restart",
  target: "docker/web",
  automatic: false,
  requestedAt: ago(60),
  isIncidentOver: false,
  startedAt: null,
  verifyBy: null,
  verifyAfter: null,
  leaseUntil: null,
  summary: null,
  timeoutMs: 120_000,
  verifyWithinMs: 60_000,
  agentName: "host-a",
  lastSeenAt: now,
  command: { startBy: ahead(10), startedAt: null, endedAt: null, end: null, summary: null, survivors: null },
  probe: { name: "containers", rules: signalRules.parse({}) },
  state: { status: "CRIT", hardStatus: "CRIT", lastAt: ago(5), summary: "exited with code 1" },
};
const ended = {
  ...queued.command!,
  startedAt: ago(20),
  endedAt: ago(10),
  end: "SUCCEEDED" as const,
  summary: "restarted",
};
const running: RunView = {
  ...queued,
  status: "RUNNING",
  startedAt: ago(20),
  command: { ...ended, end: null, endedAt: null },
};
const verifying: RunView = { ...queued, status: "VERIFYING", command: ended, verifyBy: ahead(50), verifyAfter: ago(5) };
const seen = (status: "OK" | "WARN" | "CRIT" | "UNKNOWN" | "NOT_APPLICABLE", hardStatus = status, lastAt = ago(1)) => ({
  ...verifying,
  state: { status, hardStatus, lastAt, summary: `it is ${status}` },
});
const LONG_MS = 3_600_000;
const to = (run: RunView, at = now, watchedMs = LONG_MS) => nextMove(run, at, watchedMs)?.to ?? null;

test.each([
  ["waits while its command may still begin", queued, null],
  [
    "waits past startBy for as long as the agent's clock may be off",
    { ...queued, command: { ...queued.command!, startBy: ago(34) } },
    null,
  ],
  ["expires after that", { ...queued, command: { ...queued.command!, startBy: ago(35) } }, "EXPIRED"],
  ["runs when its command has started", { ...queued, command: { ...queued.command!, startedAt: ago(1) } }, "RUNNING"],
  [
    "runs before it verifies, although it has ended already",
    { ...queued, command: { ...ended, startedAt: null } },
    "RUNNING",
  ],
  [
    "is refused without having run",
    { ...queued, command: { ...ended, startedAt: null, end: "REFUSED" as const } },
    "REFUSED",
  ],
])("what is QUEUED %s", (_, run, expected) => expect(to(run)).toBe(expected));

describe("what is RUNNING", () => {
  test("verifies from the act's end on, with the last known outcome as the baseline", () => {
    const move = nextMove({ ...running, command: ended }, now, LONG_MS);
    expect(move).toMatchObject({ to: "VERIFYING", verifyBy: ahead(50), verifyAfter: ago(5), summary: "restarted" });
  });

  test("is lost when its agent is silent for longer than it may go on by itself", () => {
    expect(to({ ...running, lastSeenAt: ago(120) })).toBeNull();
    expect(to({ ...running, lastSeenAt: ago(121) })).toBe("LOST");
  });

  test("is lost when a living agent says nothing a minute after the time limit", () => {
    expect(to({ ...running, startedAt: ago(180) })).toBeNull();
    expect(to({ ...running, startedAt: ago(181) })).toBe("LOST");
  });

  test("is not lost before its agent had the time to come back and report", () => {
    expect(to({ ...running, lastSeenAt: ago(600) }, now, 119_999)).toBeNull();
    expect(to({ ...running, startedAt: ago(600) }, now, 119_999)).toBeNull();
    expect(to({ ...running, lastSeenAt: ago(600) }, now, 120_000)).toBe("LOST");
  });

  test("holds its target as long as that", () => {
    expect(leaseOf(running)).toEqual(ahead(120));
    expect(leaseOf({ ...running, startedAt: ago(100) })).toEqual(ahead(80));
    expect(leaseOf(queued)).toBeNull();
  });
});

test.each([
  ["OK and hard OK", seen("OK"), "SUCCEEDED"],
  ["WARN, which the probe's rules call good", seen("WARN"), "SUCCEEDED"],
  [
    "OK for the first time, while its incident waits for more",
    { ...seen("OK"), state: { ...seen("OK").state, hardStatus: "CRIT" as const } },
    "SUCCEEDED",
  ],
  ["OK, but not later than the baseline", seen("OK", "OK", ago(5)), null],
  ["UNKNOWN", seen("UNKNOWN"), null],
  ["gone", seen("NOT_APPLICABLE"), null],
  ["still CRIT", seen("CRIT"), null],
])("what is VERIFYING and %s", (_, run, expected) => expect(to(run)).toBe(expected));

test("a verification that is not green in time did not help, and says what is seen", () => {
  const late = nextMove(seen("CRIT", "CRIT", ahead(51)), ahead(52), LONG_MS);
  expect(late).toMatchObject({
    to: "DID_NOT_HELP",
    summary: 'docker.restart; fix did not help: "containers" is CRIT: it is CRIT',
  });
});

test("a deadline that passes while the probe is not seen decides nothing until it was silent for long", () => {
  for (const unseen of [seen("CRIT"), { ...verifying, state: null }]) {
    expect(to(unseen, ahead(51))).toBeNull();
    expect(to(unseen, ahead(170))).toBeNull();
    expect(to(unseen, ahead(171), 119_999)).toBeNull();
    expect(to(unseen, ahead(171), 120_000)).toBe("DID_NOT_HELP");
  }
  expect(to(seen("OK", "OK", ahead(300)), ahead(301))).toBe("SUCCEEDED");
  const silent = nextMove({ ...verifying, state: null }, ahead(171), LONG_MS);
  expect(silent!.event.summary).toContain("has not reported");
});

test("a probe that was deleted during the run leaves it unverified", () => {
  expect(nextMove({ ...verifying, probe: null, summary: "restarted" }, now, LONG_MS)!.summary).toContain(
    "not verified",
  );
});

test("every step it proposes is one that the state machine allows", () => {
  const views = [queued, running, verifying].flatMap((run) =>
    (["SUCCEEDED", "FAILED", "CANCELLED", "REFUSED", "TIMED_OUT", "INTERRUPTED", null] as const).map((end) => ({
      ...run,
      command: { ...ended, end, endedAt: end && ago(10) },
    })),
  );
  for (const view of views) {
    const move = nextMove(view, ahead(1000), LONG_MS);
    if (move) expect(ALLOWED_STEPS).toContain(`${view.status}>${move.to}`);
  }
});

test("nothing follows a terminal status", () => {
  for (const status of RUN_STATUSES) {
    const terminal = !ALLOWED_STEPS.some((step) => step.startsWith(`${status}>`));
    if (terminal) expect(to({ ...running, status, command: ended }, ahead(100_000))).toBeNull();
  }
});
