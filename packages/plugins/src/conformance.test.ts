import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { loadPlugin, PLUGIN_NAMES } from "./catalog.js";
import { explainConfigError } from "./config-error.js";
import { findProbe, findRemediation, manifests, probeKinds, remediationKinds } from "./manifests.js";

const here = import.meta.dirname;
const rooms = readdirSync(here, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== "testing")
  .map(({ name }) => name);

const sampleShape = z.strictObject({
  name: z.string(),
  kind: z.enum(probeKinds()),
  interval: z.string().regex(/^\d+(ms|s|m|h)$/),
  config: z.record(z.string(), z.unknown()).default({}),
  remediation: z
    .strictObject({ kind: z.enum(remediationKinds()), input: z.record(z.string(), z.unknown()) })
    .optional(),
});

function samplesOf(room: string) {
  const content: unknown = parse(readFileSync(join(here, room, "sample.yaml"), "utf8"));
  return (Array.isArray(content) ? content : [content]).map((sample) => sampleShape.parse(sample));
}

function check(schema: z.ZodType, input: unknown): void {
  const parsed = schema.safeParse(input);
  if (!parsed.success) throw new Error(explainConfigError(parsed.error, schema, input));
}

type JsonSchema = z.core.JSONSchema.BaseSchema | boolean;

/** Every option, nested ones too: `tls.ca`, `thresholds.*.warn`. */
function optionsOf(schema: JsonSchema | undefined, path = ""): { name: string; description?: string }[] {
  if (typeof schema !== "object") return [];
  const named = Object.entries(schema.properties ?? {}).flatMap(([key, option]) => {
    const name = `${path}${key}`;
    const description = typeof option === "object" ? option.description : undefined;
    return [{ name, description }, ...optionsOf(option, `${name}.`)];
  });
  const ofVariants = schema.anyOf?.flatMap((variant) => optionsOf(variant, path)) ?? [];
  return [...named, ...ofVariants, ...optionsOf(schema.additionalProperties, `${path}*.`)];
}

test("a plugin is in the catalogue if and only if it has a room", () => {
  expect([...rooms].sort()).toEqual([...PLUGIN_NAMES].sort());
});

describe.each(rooms)("the room %s", (room) => {
  const files = readdirSync(join(here, room));
  const readme = readFileSync(join(here, room, "README.md"), "utf8");
  const manifest = manifests[room];
  if (!manifest) throw new Error(`manifests.ts has no ${room}`);

  test("has every file a room has, tests among them", () => {
    expect(files).toEqual(expect.arrayContaining(["config.ts", "index.ts", "sample.yaml", "README.md"]));
    expect(files.some((name) => name.endsWith(".test.ts"))).toBe(true);
  });

  test("is named like its folder, and its code holds what its manifest declares", async () => {
    const plugin = await loadPlugin(room);
    expect(plugin.name).toBe(room);
    expect(Object.keys(plugin.probes)).toEqual(Object.keys(manifest.probes));
    expect(Object.keys(plugin.remediations)).toEqual(Object.keys(manifest.remediations));
    for (const [name, { run }] of Object.entries(plugin.probes)) expect(run, name).toBeTypeOf("function");
    for (const [name, { reversible, rollback }] of Object.entries(plugin.remediations))
      expect(typeof rollback === "function", `${name}.rollback`).toBe(reversible === true);
  });

  test("has samples that are valid for their probe and remediation", () => {
    for (const { kind, config, remediation } of samplesOf(room)) {
      expect(kind.startsWith(`${room}.`)).toBe(true);
      check(findProbe(kind)?.config as z.ZodType, config);
      if (!remediation) continue;
      // The server puts the failing item in its place.
      const input = JSON.parse(JSON.stringify(remediation.input).replaceAll("{item}", "web")) as unknown;
      check(findRemediation(remediation.kind)?.input as z.ZodType, input);
    }
  });

  const schemas = [
    ...Object.entries(manifest.probes).map(([name, { config }]) => [`${room}.${name}`, config] as const),
    ...Object.entries(manifest.remediations).map(([name, { input }]) => [`${room}.${name}`, input] as const),
  ];

  test.each(schemas)(
    "%s refuses unknown options, describes every option, and its README names them",
    (kind, schema) => {
      expect(readme).toContain(kind);
      const refused = schema.safeParse({ surelyNoOption: 1 });
      expect(refused.error?.issues.map(({ code }) => code)).toContain("unrecognized_keys");
      for (const { name, description } of optionsOf(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }))) {
        expect.soft(description, `${kind} ${name}.describe()`).toBeTruthy();
        expect.soft(readme, `${kind} ${name} in README.md`).toContain(`\`${name}\``);
      }
    },
  );

  test("says of every probe and remediation what it is and how long it may take", () => {
    for (const probe of Object.values(manifest.probes)) {
      expect(probe.title && probe.description).toBeTruthy();
      expect(probe.timeoutMs).toBeLessThanOrEqual(probe.intervalMs);
    }
    for (const remediation of Object.values(manifest.remediations)) {
      expect(remediation.title && remediation.description && remediation.reversible).toBeTruthy();
      expect(remediation.risk).toMatch(/^R[0-3]$/);
      expect(probeKinds()).toContain(remediation.verify.probe);
      expect(remediation.verify.withinMs).toBeGreaterThan(0);
    }
  });
});

const SAMPLE_INPUTS: Record<string, { input: unknown; target: string }> = {
  "docker.restart": { input: { container: "web" }, target: "docker/web" },
  "docker.stop": { input: { container: "web" }, target: "docker/web" },
  "docker.start": { input: { container: "web" }, target: "docker/web" },
  "process.restart": { input: { command: ["/usr/sbin/nginx"], port: 80 }, target: "process/port-80" },
};

test.each(remediationKinds())("%s locks one short stable target, and can be previewed and run", async (kind) => {
  const [room = "", name = ""] = kind.split(".");
  const remediation = (await loadPlugin(room)).remediations[name];
  const sample = SAMPLE_INPUTS[kind];
  if (!remediation || !sample) throw new Error(`add a sample input of ${kind} here`);
  expect(remediation.preview).toBeTypeOf("function");
  expect(remediation.run).toBeTypeOf("function");
  expect(remediation.target(remediation.input.parse(sample.input))).toBe(sample.target);
});

/** How long each may take at most, by the highest grace period its input allows; a service must not stay down half-way. */
const WORST_CASE_MS: Record<string, (highest: (option: string) => number) => number> = {
  // The engine waits up to 10 s for a killed process, and starts it.
  "docker.restart": (highest) => highest("timeoutSeconds") * 1000 + 30_000,
  "docker.stop": (highest) => highest("timeoutSeconds") * 1000 + 30_000,
  // Its rollback stops within 10 s.
  "docker.start": () => 40_000,
  // After the stop program, after TERM, 5 s after KILL; then the program itself and the start.
  "process.restart": (highest) => 2 * highest("graceMs") + 5_000 + 30_000,
};

test.each(remediationKinds())("%s ends within its time limit, whatever grace period it is given", (kind) => {
  const manifest = findRemediation(kind);
  const worstCase = WORST_CASE_MS[kind];
  if (!manifest || !worstCase) throw new Error(`add the worst case of ${kind} here`);
  const { properties = {} } = z.toJSONSchema(manifest.input, { io: "input", unrepresentable: "any" });
  const highest = (option: string) => (properties[option] as { maximum: number }).maximum;
  expect(worstCase(highest)).toBeLessThan(manifest.timeoutMs);
});
