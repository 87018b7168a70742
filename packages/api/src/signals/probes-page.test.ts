import { OUTCOME_STATUSES } from "@poppo-ops/plugins/wire";
import { expect, test } from "vitest";
import { documentTable } from "../kernel/testing/document-table.js";
import { verdictOf } from "./evaluate.js";
import { signalRules } from "./signal-rules.js";

const defaults = signalRules.parse({});

test("docs/probes.md says what each status counts as", async () => {
  const rows = await documentTable("probes.md", "statuses");
  const judged = OUTCOME_STATUSES.filter((status) => status !== "INTERRUPTED");
  expect(rows.map(([status, verdict]) => [status, verdict]).sort()).toEqual(
    judged.map((status) => [status, verdictOf(status, defaults)]).sort(),
  );
});

test("docs/probes.md has every rule with its default and what is allowed", async () => {
  const { flapping, raiseOn, ...others } = defaults;
  const values = { ...others, "flapping.high": flapping.high, "flapping.low": flapping.low, raiseOn };
  const rows = await documentTable("probes.md", "rules");
  expect(Object.fromEntries(rows.map(([rule, byDefault]) => [rule, byDefault]))).toEqual(
    Object.fromEntries(
      Object.entries(values).map(([rule, value]) => [rule, Array.isArray(value) ? value.join(", ") : String(value)]),
    ),
  );
});

test("docs/probes.md says what each rule takes", async () => {
  for (const [rule, , allowed] of await documentTable("probes.md", "rules")) {
    const [, least, most] = /^(\d+) to (\d+)$/.exec(allowed!) ?? [];
    if (least && most) {
      expect([rule, takes(rule!, +least), takes(rule!, +most)]).toEqual([rule, true, true]);
      expect([rule, takes(rule!, +least - 1), takes(rule!, +most + 1)]).toEqual([rule, false, false]);
    } else if (takes(rule!, true)) expect([rule, allowed]).toEqual([rule, "true, false"]);
    else expect(OUTCOME_STATUSES.filter((status) => takes(rule!, [status])).sort()).toEqual(allowed!.split(", "));
  }
});

function takes(rule: string, value: unknown): boolean {
  const [group, key] = rule.split(".") as [string, string?];
  return signalRules.safeParse({ [group]: key ? { [key]: value } : value }).success;
}
