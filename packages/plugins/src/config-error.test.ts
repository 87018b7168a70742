import { expect, test } from "vitest";
import { z } from "zod";
import { didYouMean, explainConfigError } from "./config-error.js";
import { manifest as docker } from "./docker/config.js";
import { findProbe } from "./manifests.js";

function explain(schema: z.ZodType, input: unknown): string {
  const parsed = schema.safeParse(input);
  if (parsed.success) throw new Error("the config was expected to be refused");
  return explainConfigError(parsed.error, schema, input);
}

const containers = docker.probes.containers.config;

test("a misspelt option is refused with the option that was meant", () => {
  expect(explain(containers, { socketPaht: "/x" })).toMatch(
    /^"socketPaht" is not an option; did you mean "socketPath"\?/,
  );
});

test("a misspelt option inside another is named with its path", () => {
  const message = explain(containers, { restartLoop: { windowMS: 5 } });
  expect(message).toContain('"restartLoop.windowMS" is not an option; did you mean "windowMs"?');
});

test("an option that resembles none is refused with those there are", () => {
  const message = explain(containers, { colour: "red" });
  expect(message).not.toContain("did you mean");
  expect(message).toContain("options are socketPath, names, labels");
});

test("a wrong value is named with its path", () => {
  expect(explain(containers, { logLines: "many" })).toMatch(/^logLines: .*expected number.* \(given: "many"\)$/);
});

test("a misspelt choice is answered with the choice that was meant", () => {
  const schema = z.strictObject({ mode: z.enum(["daemon", "command"]) });
  expect(explain(schema, { mode: "deamon" })).toContain('did you mean "daemon"?');
});

test("options are found through arrays, records, unions, defaults and transforms", () => {
  const inner = z.strictObject({ warnAbove: z.number().optional() });
  const schema = z.strictObject({
    list: z.array(inner).default([]),
    byName: z.record(z.string(), inner.optional()).optional(),
    piped: inner.transform((value) => value).optional(),
  });
  for (const input of [{ list: [{ warnAbov: 1 }] }, { byName: { x: { warnAbov: 1 } } }, { piped: { warnAbov: 1 } }])
    expect(explain(schema, input)).toContain('did you mean "warnAbove"?');
});

test("several mistakes are told at once", () => {
  expect(explain(containers, { nmaes: ["a"], logLines: -1 }).split("; ").length).toBeGreaterThan(2);
});

test("something that is no object at all is refused readably", () => {
  expect(explain(findProbe("exec.nagios")?.config as z.ZodType, "ls")).toMatch(/^the config: .*expected object.*"ls"/);
});

test("nothing is suggested from nothing", () => {
  expect(didYouMean("web", [])).toBe("");
});
