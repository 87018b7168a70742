import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Outcome, Plugin, ProbeContext, RemediationContext } from "../contract.js";

/** A context a test controls: the clock is `clock.now`, output lands in `lines`. */
export interface TestContext extends ProbeContext, RemediationContext {
  clock: { now: number };
  lines: string[];
}

export function testContext(options: { signal?: AbortSignal; startAt?: number } = {}): TestContext {
  const clock = { now: options.startAt ?? 1_700_000_000_000 };
  const lines: string[] = [];
  return {
    clock,
    lines,
    signal: options.signal ?? new AbortController().signal,
    // Without `startAt` real time passes, so that deadlines pass too.
    now: () => (options.startAt === undefined ? performance.timeOrigin + performance.now() : clock.now),
    monotonic: () => (options.startAt === undefined ? performance.now() : clock.now),
    memory: new Map(),
    output: (text) => void lines.push(text),
    async exec([file, ...args], { cwd, env } = {}) {
      const child = spawn(file, args, { cwd, env: { ...process.env, ...env }, stdio: "ignore" });
      const [exitCode] = (await once(child, "exit")) as [number | null];
      return { exitCode: exitCode ?? -1 };
    },
  };
}

/** Parses the config like the agent does and runs the probe; always a list. */
export async function runProbe(
  plugin: Plugin,
  name: string,
  config: unknown,
  context: ProbeContext = testContext(),
): Promise<Outcome[]> {
  const probe = plugin.probes[name];
  if (!probe) throw new Error(`${plugin.name} has no probe ${name}`);
  const outcome = await probe.run(probe.config.parse(config), context);
  return Array.isArray(outcome) ? outcome : [outcome];
}

/** A remediation with its input parsed. */
export function act(plugin: Plugin, name: string, input: unknown) {
  const remediation = plugin.remediations[name];
  if (!remediation) throw new Error(`${plugin.name} has no remediation ${name}`);
  const parsed = remediation.input.parse(input);
  return {
    preview: (context: RemediationContext = testContext()) => remediation.preview(parsed, context),
    run: (context: RemediationContext = testContext()) => remediation.run(parsed, context),
    rollback: (context: RemediationContext = testContext()) => remediation.rollback?.(parsed, context),
  };
}
