import { describe, expect, test } from "vitest";
import { documentTable } from "../kernel/testing/document-table.js";
import { type Facts, judge, RULES, type Rule } from "./safety.js";

const now = new Date("2026-05-01T12:00:00Z");
const ago = (ms: number) => new Date(now.getTime() - ms);
const ahead = (ms: number) => new Date(now.getTime() + ms);
const person = { person: "ana", reason: null };

const fine: Facts = {
  now,
  kind: "docker.restart",
  target: "docker/web",
  risk: "R2",
  by: "automation",
  isVerifiable: true,
  isRepeatable: true,
  processing: null,
  agent: { name: "host-a", isConnected: true, lastSeenAt: now },
  lock: null,
  failedVerifies: 0,
  breakerOpenUntil: null,
  lastFinishedAt: null,
  attempts: 0,
  firstAttemptAt: null,
  limits: { cooldownMs: 600_000, maxAttempts: 3, windowMs: 86_400_000, maxShare: 0.05 },
  group: { name: "service shop", targets: 100, busy: 0 },
};

/** What makes each rule refuse. */
const WRONG: Record<Rule, Partial<Facts>> = {
  "processing-paused": { processing: { reason: "release", owner: "ana", until: ahead(1000) } },
  "agent-not-connected": { agent: { name: "host-a", isConnected: false, lastSeenAt: ago(60_000) } },
  "risk-needs-person": { risk: "R3" },
  "not-automatic": { isRepeatable: false, isVerifiable: false },
  breaker: { failedVerifies: 2, breakerOpenUntil: ahead(1000) },
  "target-locked": { lock: { runId: "r1", leaseUntil: ahead(1000) } },
  cooldown: { lastFinishedAt: ago(599_000) },
  attempts: { attempts: 3, firstAttemptAt: ago(3_600_000) },
  "blast-radius": { group: { name: "service shop", targets: 100, busy: 5 } },
};

const ruleOf = (facts: Facts) => {
  const verdict = judge(facts);
  return verdict.allowed ? null : verdict.rule;
};

test("nothing refuses when nothing is wrong", () => {
  expect(judge(fine)).toEqual({ allowed: true });
});

test.each(RULES)("%s refuses automation, and the message begins with its name", (rule) => {
  const verdict = judge({ ...fine, ...WRONG[rule] });
  expect(verdict).toMatchObject({ allowed: false, rule, message: expect.stringMatching(`^${rule}: `) });
});

test("docs/remediations.md has the rules in their order, and whom each holds for", async () => {
  const asked = ["automation" as const, person, { person: "ana", reason: "I know" }];
  const cell = (rule: Rule, by: Facts["by"]) => (ruleOf({ ...fine, ...WRONG[rule], by }) === rule ? "refuses" : "–");
  const rows = await documentTable("remediations.md", "rules");
  expect(rows.map(([rule, , ...whom]) => [rule, ...whom])).toEqual(
    RULES.map((rule) => [rule, ...asked.map((by) => cell(rule, by))]),
  );
});

test("the first rule in the order answers", () => {
  const everything = Object.assign({}, fine, ...Object.values(WRONG)) as Facts;
  expect(ruleOf(everything)).toBe("processing-paused");
  expect(ruleOf({ ...everything, processing: null })).toBe("agent-not-connected");
});

describe("a person", () => {
  test.each(["risk-needs-person", "not-automatic", "cooldown", "attempts"] as const)("overrides %s", (rule) => {
    expect(ruleOf({ ...fine, by: person, ...WRONG[rule] })).toBeNull();
  });

  test.each(["processing-paused", "agent-not-connected", "target-locked", "blast-radius"] as const)(
    "does not override %s, not even with a reason",
    (rule) => {
      expect(ruleOf({ ...fine, by: { person: "ana", reason: "I know" }, ...WRONG[rule] })).toBe(rule);
    },
  );

  test("overrides an open breaker only with a reason", () => {
    expect(ruleOf({ ...fine, by: person, ...WRONG.breaker })).toBe("breaker");
    expect(ruleOf({ ...fine, by: { person: "ana", reason: "the disk is free again" }, ...WRONG.breaker })).toBeNull();
  });
});

test("what time alone changes says when", () => {
  expect(judge({ ...fine, ...WRONG.cooldown })).toMatchObject({ retryAt: ahead(1000) });
  expect(judge({ ...fine, ...WRONG.attempts })).toMatchObject({ retryAt: ahead(86_400_000 - 3_600_000) });
  expect(judge({ ...fine, ...WRONG.breaker })).toMatchObject({ retryAt: ahead(1000) });
});

test("a boundary that is reached is passed: cooldown, lease, breaker", () => {
  expect(ruleOf({ ...fine, lastFinishedAt: ago(600_000) })).toBeNull();
  expect(ruleOf({ ...fine, lock: { runId: "r1", leaseUntil: now } })).toBeNull();
  expect(ruleOf({ ...fine, failedVerifies: 2, breakerOpenUntil: now })).toBeNull();
});

test.each([
  { targets: 1, busy: 0, refused: false },
  { targets: 1, busy: 1, refused: true },
  { targets: 39, busy: 1, refused: true },
  { targets: 40, busy: 1, refused: false },
  { targets: 40, busy: 2, refused: true },
])("of $targets targets $busy are busy: refused $refused", ({ targets, busy, refused }) => {
  expect(ruleOf({ ...fine, group: { name: "probe p", targets, busy } }) === "blast-radius").toBe(refused);
});
