import { basename, isAbsolute } from "node:path";
import { pathToFileURL } from "node:url";
import type { Plugin, Probe, Remediation } from "@poppo-ops/plugins";
import { loadExternalPlugin, loadPlugin, PLUGIN_NAMES } from "@poppo-ops/plugins/catalog";

/** Finds the code behind `<plugin>.<name>`. A built-in plugin is loaded when it is first asked for. */
export interface Plugins {
  /** @throws when this agent has no such plugin or probe; the message says what there is */
  probe(kind: string): Promise<Probe>;
  /** @throws as `probe` */
  remediation(kind: string): Promise<Remediation>;
}

/** @param external npm package names and absolute paths of files; one that does not load hurts only its own kinds */
export async function openPlugins(
  external: readonly string[],
  warn: (message: string, details?: object) => void,
): Promise<Plugins> {
  const loaded = new Map<string, Promise<Plugin>>();
  for (const entry of external)
    try {
      const plugin = await loadEntry(entry);
      loaded.set(plugin.name, Promise.resolve(plugin));
    } catch (error) {
      warn(`plugin ${entry}: ${(error as Error).message}`);
    }

  const load = (name: string): Promise<Plugin> => {
    const plugin = loaded.get(name) ?? loadPlugin(name);
    loaded.set(name, plugin);
    plugin.catch(() => loaded.delete(name));
    return plugin;
  };
  const known = () => [...new Set([...PLUGIN_NAMES, ...loaded.keys()])];

  async function find<Part>(
    kind: string,
    parts: (plugin: Plugin) => Record<string, Part>,
    what: string,
  ): Promise<Part> {
    const [name = "", ...rest] = kind.split(".");
    if (!known().includes(name))
      throw new Error(`this agent has no plugin "${name}" (for ${kind}); it has ${known().join(", ")}`);
    const available = parts(await load(name));
    const part = Object.hasOwn(available, rest.join(".")) ? available[rest.join(".")] : undefined;
    if (part) return part;
    throw new Error(`plugin "${name}" has no ${what} "${rest.join(".")}"; it has ${Object.keys(available).join(", ")}`);
  }

  return {
    probe: (kind) => find(kind, (plugin) => plugin.probes, "probe"),
    remediation: (kind) => find(kind, (plugin) => plugin.remediations, "remediation"),
  };
}

/** A path is for plugins that are developed or deployed as one file; its shape is checked like a package's. */
const loadEntry = (entry: string): Promise<Plugin> =>
  isAbsolute(entry)
    ? loadExternalPlugin(`poppo-ops-plugin-${slug(entry)}`, () => import(pathToFileURL(entry).href))
    : loadExternalPlugin(entry);

const slug = (path: string) =>
  basename(path)
    .toLowerCase()
    .replace(/^poppo-ops-plugin-/, "")
    .replace(/[^a-z0-9._-]/g, "-");
