import { z } from "zod";
import { didYouMean } from "./config-error.js";
import type { Plugin } from "./contract.js";

/** Each room is imported when first used: an agent that watches no database never loads the driver. */
const rooms = {
  system: () => import("./system/index.js"),
  http: () => import("./http/index.js"),
  docker: () => import("./docker/index.js"),
  process: () => import("./process/index.js"),
  postgres: () => import("./postgres/index.js"),
  exec: () => import("./exec/index.js"),
} satisfies Record<string, () => Promise<{ plugin: Plugin }>>;

export type PluginName = keyof typeof rooms;
export const PLUGIN_NAMES = Object.keys(rooms) as PluginName[];

/** A plugin that is not there, does not load, or is none. The message says which and what to do. */
export class PluginError extends Error {
  override name = "PluginError";
}

/** @throws {PluginError} when there is no built-in plugin of that name */
export async function loadPlugin(name: string): Promise<Plugin> {
  if (!isPluginName(name))
    throw new PluginError(
      `there is no built-in plugin "${name}"${didYouMean(name, PLUGIN_NAMES)}; built in are ${PLUGIN_NAMES.join(", ")}`,
    );
  return (await rooms[name]()).plugin;
}

const isPluginName = (name: string): name is PluginName => Object.hasOwn(rooms, name);

const EXTERNAL = /^(?:@[a-z0-9][a-z0-9._-]*\/)?poppo-ops-plugin-[a-z0-9][a-z0-9._-]*$/;

/**
 * Loads a third-party plugin: an npm package named `poppo-ops-plugin-*` that exports `plugin` (or exports it as default).
 * @param load resolves the package; by default from where this package is installed
 * @throws {PluginError} naming the package and what is wrong with it
 */
export async function loadExternalPlugin(
  packageName: string,
  load: (specifier: string) => Promise<unknown> = (specifier) => import(specifier),
): Promise<Plugin> {
  if (!EXTERNAL.test(packageName))
    throw new PluginError(
      `"${packageName}" is not a plugin package; its name must be poppo-ops-plugin-<name> or @scope/poppo-ops-plugin-<name>`,
    );
  const module = await load(packageName).catch((cause: unknown) => {
    throw new PluginError(`${packageName} did not load: ${reason(cause)}; is it installed beside the agent?`, {
      cause,
    });
  });
  return checkShape(packageName, module);
}

function checkShape(packageName: string, module: unknown): Plugin {
  const { plugin, default: fallback } = (module ?? {}) as { plugin?: unknown; default?: unknown };
  const candidate = plugin ?? fallback;
  if (candidate === undefined)
    throw new PluginError(`${packageName} exports no "plugin"; export one made with definePlugin`);
  const shape = pluginShape.safeParse(candidate);
  if (!shape.success)
    throw new PluginError(`${packageName} exports something that is no plugin: ${z.prettifyError(shape.error)}`);
  if (isPluginName(shape.data.name))
    throw new PluginError(`${packageName} calls itself "${shape.data.name}", which is built in; give it another name`);
  // The candidate itself, not the parsed copy: its functions may use `this`.
  return candidate as Plugin;
}

const callable = z.custom<() => unknown>((value) => typeof value === "function", "must be a function");
// Not `instanceof z.ZodType`: the package may bring its own copy of zod.
const schema = z.custom<z.ZodType>(
  (value) => typeof (value as { safeParse?: unknown } | null)?.safeParse === "function",
  "must be a zod schema",
);
const name = z
  .string()
  .regex(/^[a-z][a-zA-Z0-9-]*$/, "must be letters, digits and dashes, beginning with a small letter");
const milliseconds = z.number().int().positive();

const pluginShape = z.object({
  name,
  version: z.string().min(1),
  description: z.string(),
  probes: z.record(
    name,
    z.object({
      title: z.string(),
      description: z.string(),
      config: schema,
      intervalMs: milliseconds,
      timeoutMs: milliseconds,
      run: callable,
    }),
  ),
  remediations: z.record(
    name,
    z.object({
      title: z.string(),
      description: z.string(),
      input: schema,
      risk: z.enum(["R0", "R1", "R2", "R3"]),
      idempotent: z.boolean(),
      reversible: z.union([z.literal(true), z.string().min(1)]),
      timeoutMs: milliseconds,
      verify: z.object({ probe: z.string().regex(/^[^.]+\..+$/, "must be <plugin>.<probe>"), withinMs: milliseconds }),
      target: callable,
      preview: callable,
      run: callable,
      rollback: callable.optional(),
    }),
  ),
});

const reason = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
