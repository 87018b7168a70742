import { manifests } from "@poppo-ops/plugins/manifests";
import { expect, test } from "vitest";
import { formatDuration, parseDuration } from "../kernel/durations.js";
import { documentTable } from "../kernel/testing/document-table.js";
import {
  APPROVAL_WITHIN_MS,
  AUTOMATION_WITHIN_MS,
  BREAKER_OPEN_MS,
  DEFAULT_POLICY,
  STABILITY_MS,
  START_WITHIN_MS,
} from "./limits.js";
import { setRemediationPolicy } from "./policy.service.js";

test("docs/remediations.md has every remediation as its plugin declares it", async () => {
  const declared = Object.values(manifests).flatMap(({ name, remediations }) =>
    Object.entries(remediations).map(([key, { risk, idempotent, reversible, timeoutMs, verify }]) => [
      `${name}.${key}`,
      risk,
      risk !== "R3" && (idempotent || reversible === true) ? "yes" : "no",
      formatDuration(timeoutMs),
      formatDuration(verify.withinMs),
    ]),
  );
  expect((await documentTable("remediations.md", "remediations")).sort()).toEqual(declared.sort());
});

test("docs/remediations.md has the times that count", async () => {
  const times = [APPROVAL_WITHIN_MS, AUTOMATION_WITHIN_MS, START_WITHIN_MS, STABILITY_MS, BREAKER_OPEN_MS];
  const rows = await documentTable("remediations.md", "times");
  expect(rows.map(([after]) => parseDuration(after!))).toEqual(times);
});

test("docs/remediations.md has the defaults of a policy", async () => {
  const read = (text: string) => (text.endsWith("%") ? Number.parseFloat(text) / 100 : (parseDuration(text) ?? +text));
  const { cooldownMs, maxAttempts, windowMs, breakerAfter, maxShare } = DEFAULT_POLICY;
  const rows = await documentTable("remediations.md", "policy");
  expect(rows.map(([option, byDefault]) => [option, read(byDefault!)])).toEqual([
    ["--cooldown", cooldownMs],
    ["--max-attempts", maxAttempts],
    ["--window", windowMs],
    ["--breaker-after", breakerAfter],
    ["--max-share", maxShare],
  ]);
});

const input = (change: Record<string, unknown>) =>
  setRemediationPolicy.input.safeParse({
    probeId: "00000000-0000-4000-8000-000000000000",
    mode: "APPROVAL",
    ...change,
  }).success;

test.each([
  ["--cooldown", "cooldown", ["1s", "7d"], ["999ms", "8d"]],
  ["--max-attempts", "maxAttempts", [1, 100], [0, 101]],
  ["--window", "window", ["1m", "30d"], ["59s", "31d"]],
  ["--breaker-after", "breakerAfter", [1, 20], [0, 21]],
])("docs/remediations.md says what %s takes", async (option, key, ends, beyond) => {
  const row = (await documentTable("remediations.md", "policy")).find(([name]) => name === option);
  expect(row![2]).toBe(ends.join(" to "));
  for (const value of ends) expect(input({ [key]: value })).toBe(true);
  for (const value of beyond) expect(input({ [key]: value })).toBe(false);
});
