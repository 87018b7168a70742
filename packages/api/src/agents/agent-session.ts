import type { Labels } from "../db/columns.js";
import type { Connection } from "../graphql/context.js";
import { newId } from "../kernel/ids.js";
import type { AgentPrincipal } from "./authenticate-agent.js";
import type { Assignments } from "./probe-catalogue.js";
import { StateCache } from "./state-cache.js";

export interface SessionCommand {
  id: string;
  payload: string;
  signature: string;
}

/** What an agent is told. The first message has everything, later ones what changed. */
export interface SessionMessage {
  assignments: Assignments | null;
  commands: SessionCommand[];
  leaseMs: number;
  ackedSeq: number | null;
  ackedEpoch: string | null;
}

/** How long an agent may go on by itself when it hears nothing from us. Milliseconds. */
export const LEASE_MS = 60_000;

/**
 * One `agentSession` subscription: what is on the way to the agent, and what this replica holds for it while it lasts.
 *
 * What was not taken yet is one message into which later ones are merged, so it is bounded by the agent's probes and open
 * commands. Hand-written: a native generator that waits cannot be stopped by `return()`.
 */
export class AgentSession implements AsyncGenerator<SessionMessage, void, void> {
  /** What fences: a result counts only while this is the newest session of the agent. */
  readonly id = newId();
  readonly agentId: string;
  name: string;
  labels: Labels = {};
  /** The agent's clock minus the database's, by which results are dated. Milliseconds. */
  clockSkewMs = 0;
  readonly states = new StateCache();
  /** The fingerprint of the catalogue that its assignments are of. */
  assignedBy = "";
  ended = false;
  onEnd: () => void = () => {};
  private assignmentsVersion = "";
  private readonly sentCommands = new Set<string>();
  private pending: SessionMessage | null = null;
  private waiting: ((result: IteratorResult<SessionMessage, void>) => void)[] = [];

  constructor(
    readonly connection: Connection,
    readonly principal: AgentPrincipal,
  ) {
    this.agentId = principal.id;
    this.name = principal.name;
  }

  begin(
    mark: { ackedSeq: number; ackedEpoch: string | null },
    assignments: Assignments,
    commands: SessionCommand[],
  ): void {
    this.assignmentsVersion = assignments.version;
    for (const { id } of commands) this.sentCommands.add(id);
    this.push({ assignments, commands, leaseMs: LEASE_MS, ...mark });
  }

  /** Sends the assignments if they are others than the last. */
  assign(assignments: Assignments): void {
    if (assignments.version === this.assignmentsVersion) return;
    this.assignmentsVersion = assignments.version;
    this.push({ assignments, commands: [], leaseMs: LEASE_MS, ackedSeq: null, ackedEpoch: null });
  }

  /** Sends the commands that this session has not sent yet. */
  offer(open: SessionCommand[]): void {
    const commands = open.filter(({ id }) => !this.sentCommands.has(id));
    if (commands.length === 0) return;
    for (const { id } of commands) this.sentCommands.add(id);
    this.push({ assignments: null, commands, leaseMs: LEASE_MS, ackedSeq: null, ackedEpoch: null });
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    for (const resolve of this.waiting.splice(0)) resolve({ done: true, value: undefined });
    this.onEnd();
  }

  async next(): Promise<IteratorResult<SessionMessage, void>> {
    if (this.ended) return { done: true, value: undefined };
    const value = this.pending;
    this.pending = null;
    return value ? { done: false, value } : new Promise((resolve) => this.waiting.push(resolve));
  }

  async return(): Promise<IteratorResult<SessionMessage, void>> {
    this.end();
    return { done: true, value: undefined };
  }

  async throw(error: Error): Promise<IteratorResult<SessionMessage, void>> {
    this.end();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end();
  }

  private push(message: SessionMessage): void {
    if (this.ended) return;
    const resolve = this.waiting.shift();
    if (resolve) resolve({ done: false, value: message });
    else this.pending = this.pending ? merge(this.pending, message) : message;
  }
}

const merge = (earlier: SessionMessage, later: SessionMessage): SessionMessage => ({
  ...earlier,
  assignments: later.assignments ?? earlier.assignments,
  commands: [...earlier.commands, ...later.commands],
});
