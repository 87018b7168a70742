import type { Preview, RemediationContext } from "../contract.js";
import type { OwnActs } from "./acts.js";
import { type Engine, EngineError, EngineUnreachable, engineAt, type Inspected } from "./engine.js";

export interface Target {
  container: string;
  socketPath: string;
}

export interface Act {
  /** What will be done, after the description of the container. */
  describe(name: string): string;
  /** Why it cannot be done now. */
  refuse(container: Inspected): string | undefined;
}

export async function previewAct(target: Target, act: Act, { signal, now }: RemediationContext): Promise<Preview> {
  try {
    const found = await inspectTarget(engineAt(target.socketPath), target, signal);
    if (!found) return { possible: true, actions: [], refusals: [`container ${target.container} does not exist`] };
    const refusal = act.refuse(found);
    const action = `${act.describe(nameOf(found))}; now: ${describe(found, now())}`;
    return { possible: true, actions: [action], refusals: refusal ? [refusal] : [] };
  } catch (error) {
    if (error instanceof EngineUnreachable) return { possible: false, reason: error.message };
    throw error;
  }
}

export interface Ready {
  engine: Engine;
  container: Inspected;
  name: string;
}

/**
 * Looks again, refuses or acts, one act per container at a time.
 * @throws with the reason when it was refused or failed
 */
export async function runAct(
  target: Target,
  act: Act,
  acts: OwnActs,
  { signal }: RemediationContext,
  run: (ready: Ready) => Promise<string>,
): Promise<{ summary: string }> {
  const engine = engineAt(target.socketPath);
  const container = await inspectTarget(engine, target, signal);
  if (!container) throw new Error(`refused: container ${target.container} does not exist`);
  const refusal = act.refuse(container);
  if (refusal) throw new Error(`refused: ${refusal}`);
  return acts.exclusively(container.Id, async () => ({
    summary: await run({ engine, container, name: nameOf(container) }),
  }));
}

/** `pid 123`, or that it is not running any more. */
export function afterStart({ State }: Inspected): string {
  if (State.Status === "running") return `running since ${State.StartedAt}, pid ${State.Pid}`;
  return `${State.Status} again already, exit code ${State.ExitCode}`;
}

async function inspectTarget(
  engine: Engine,
  { container }: Target,
  signal: AbortSignal,
): Promise<Inspected | undefined> {
  try {
    return await engine.inspect(container, signal);
  } catch (error) {
    if (error instanceof EngineError && error.status === 404) return undefined;
    throw error;
  }
}

function describe(container: Inspected, now: number): string {
  const { State, Config, HostConfig } = container;
  const state = State.Status === "running" ? `running for ${age(now - Date.parse(State.StartedAt))}` : State.Status;
  const exit = State.Status === "running" || State.Status === "created" ? [] : [`exit code ${State.ExitCode}`];
  const policy = `restart policy ${HostConfig.RestartPolicy.Name || "no"}`;
  return [`${container.Id.slice(0, 12)}, image ${Config.Image}`, state, ...exit, policy].join(", ");
}

function age(ms: number): string {
  const minutes = Math.max(0, Math.floor(ms / 60_000));
  if (minutes < 1) return `${Math.max(0, Math.floor(ms / 1000))} s`;
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const nameOf = ({ Name }: Inspected): string => Name.replace(/^\//, "");
