import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { loadExternalPlugin, loadPlugin, PLUGIN_NAMES } from "./catalog.js";
import { findProbe, findRemediation, manifests, probeKinds, remediationKinds } from "./manifests.js";

test("a misspelt plugin is refused with the one that was meant", async () => {
  await expect(loadPlugin("dokcer")).rejects.toThrow('there is no built-in plugin "dokcer"; did you mean "docker"?');
  await expect(loadPlugin("constructor")).rejects.toThrow("there is no built-in plugin");
});

test("the manifests and the catalogue name the same plugins", () => {
  expect(Object.keys(manifests).sort()).toEqual([...PLUGIN_NAMES].sort());
});

test("a kind finds its manifest, anything else finds nothing", () => {
  for (const kind of probeKinds()) expect(findProbe(kind)).toBeDefined();
  for (const kind of remediationKinds()) expect(findRemediation(kind)).toBeDefined();
  for (const kind of [
    "",
    ".",
    "docker",
    "docker.",
    ".containers",
    "docker.constructor",
    "constructor.name",
    "__proto__.x",
  ]) {
    expect(findProbe(kind)).toBeUndefined();
    expect(findRemediation(kind)).toBeUndefined();
  }
});

const external = async () => ({ plugin: { ...(await loadPlugin("exec")), name: "mine" } });

test("a third-party plugin is loaded by its package name, as `plugin` or as default", async () => {
  const module = await external();
  expect(await loadExternalPlugin("poppo-ops-plugin-mine", async () => module)).toBe(module.plugin);
  expect(await loadExternalPlugin("@me/poppo-ops-plugin-mine", async () => ({ default: module.plugin }))).toBe(
    module.plugin,
  );
});

test.each([
  "left-pad",
  "../poppo-ops-plugin-x",
  "poppo-ops-plugin-",
  "poppo-ops-plugin-x/../../etc",
  "data:text/javascript,1",
])("%s is no plugin package and is not imported", async (name) => {
  const load = () => Promise.reject(new Error("was imported"));
  await expect(loadExternalPlugin(name, load)).rejects.toThrow("is not a plugin package");
});

test("a package that is not installed, throws, or exports nonsense is refused with the reason", async () => {
  await expect(loadExternalPlugin("poppo-ops-plugin-absent")).rejects.toThrow(
    /poppo-ops-plugin-absent did not load: .*installed/,
  );
  const load = async (module: unknown) => loadExternalPlugin("poppo-ops-plugin-x", async () => module);
  await expect(load({})).rejects.toThrow('exports no "plugin"');
  await expect(
    load({ plugin: { name: "x", version: "1", description: "", probes: { a: {} }, remediations: {} } }),
  ).rejects.toThrow(/no plugin: [\s\S]*probes\.a\.title/);
  await expect(load({ plugin: { ...(await external()).plugin, name: "docker" } })).rejects.toThrow("which is built in");
});

test("reading the manifests loads no library of a target", async () => {
  expect([...(await packagesImportedFrom("manifests.ts"))]).toEqual(["zod"]);
});

/** Follows the relative imports of a source file and collects the packages; what is imported as a type is not loaded. */
async function packagesImportedFrom(file: string, packages = new Set<string>(), seen = new Set<string>()) {
  if (seen.has(file)) return packages;
  seen.add(file);
  const source = await readFile(join(import.meta.dirname, file), "utf8");
  for (const [, specifier = ""] of source.matchAll(/^(?:import|export) (?!type\b)[^;]*?from "([^"]+)";/gm)) {
    if (!specifier.startsWith(".")) packages.add(specifier);
    else await packagesImportedFrom(join(dirname(file), specifier.replace(/\.js$/, ".ts")), packages, seen);
  }
  return packages;
}
