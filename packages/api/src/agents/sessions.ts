import { CLOSE } from "@poppo-ops/plugins/wire";
import type { Connection } from "../graphql/context.js";
import { type App, systemScope } from "../kernel/app.js";
import { AppError } from "../kernel/app-error.js";
import { act } from "../kernel/command.js";
import { Gather } from "../kernel/gather.js";
import { AgentSession } from "./agent-session.js";
import type { AgentPrincipal } from "./authenticate-agent.js";
import type { ProbeCatalogue } from "./probe-catalogue.js";
import {
  type BegunSession,
  beginSessions,
  endSessions,
  openCommands,
  overSessions,
  type SessionKey,
  type SessionVerdict,
} from "./session.store.js";

const SWEEP_MS = 1000;
/** Below this the difference of the clocks is lost in the assertion's whole seconds and in round trips. */
const SKEW_NOISE_MS = 2000;
const SUPERSEDED = "a newer connection of this agent took over";

/**
 * The agent sessions of this replica. The newest session of an agent wins wherever it is: `agent_sessions.session_id` says
 * which one it is. All sessions are served together: a step asks the database a constant number of questions.
 */
export class Sessions {
  private readonly byAgent = new Map<string, AgentSession>();
  private readonly beginning: Gather<AgentSession, null>;
  private readonly ending: Gather<SessionKey, null>;
  private dirty = new Set<string>();
  private sweptAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly app: App,
    private readonly catalogue: ProbeCatalogue,
  ) {
    this.beginning = new Gather((sessions) => this.begin(sessions));
    this.ending = new Gather(async (keys) => {
      await act(systemScope(app, "agents"), (tools) => endSessions(tools, keys));
      return keys.map(() => null);
    });
  }

  get size(): number {
    return this.byAgent.size;
  }

  /** The session that this connection holds, if it is its agent's newest here. */
  of({ id, principal }: Connection): AgentSession | undefined {
    const session = this.byAgent.get(principal.id);
    return session?.connection.id === id ? session : undefined;
  }

  /** Begins a session; its first message is ready when this resolves. @throws {AppError} SUPERSEDED, UNAUTHENTICATED */
  async open(connection: Connection, principal: AgentPrincipal): Promise<AgentSession> {
    const session = new AgentSession(connection, principal);
    session.onEnd = () => this.forget(session);
    await this.beginning.add(session);
    connection.closed.addEventListener("abort", () => session.end(), { once: true });
    if (connection.closed.aborted) session.end();
    return session;
  }

  /** Whether a hint concerns a session here; it is looked after in the next step. */
  hears(topic: string): boolean {
    if (topic === "probes") this.sweptAt = Number.NEGATIVE_INFINITY;
    else if (topic.startsWith("agent:") && this.byAgent.has(topic.slice(6))) this.dirty.add(topic.slice(6));
    else return false;
    return true;
  }

  /** Looks after the sessions that were hinted at, once a second after all. */
  async step(): Promise<number> {
    const now = this.app.clock.monotonic();
    const isSweep = now - this.sweptAt >= SWEEP_MS;
    const hinted = this.dirty;
    this.dirty = new Set();
    if (isSweep) this.sweptAt = now;
    const sessions = isSweep ? [...this.byAgent.values()] : [...hinted].flatMap((id) => this.byAgent.get(id) ?? []);
    if (isSweep) await this.assign();
    if (sessions.length > 0) await this.lookAfter(sessions);
    return sessions.length;
  }

  async stop(): Promise<void> {
    await this.beginning.idle();
    await this.ending.idle();
  }

  private async assign(): Promise<void> {
    await this.catalogue.refresh();
    for (const session of this.byAgent.values()) {
      if (session.assignedBy === this.catalogue.fingerprint) continue;
      session.assignedBy = this.catalogue.fingerprint;
      session.assign(this.catalogue.assignmentsFor(session));
    }
  }

  private async lookAfter(sessions: AgentSession[]): Promise<void> {
    const { pool } = this.app.database;
    const agentIds = sessions.map((session) => session.agentId);
    const [over, commands] = await Promise.all([overSessions(pool, sessions.map(keyOf)), openCommands(pool, agentIds)]);
    for (const session of sessions) {
      const verdict = over.get(session.agentId);
      if (!verdict) session.offer(commands.get(session.agentId) ?? []);
      else if (!session.ended) this.close(session, verdict);
    }
  }

  private async begin(opened: AgentSession[]): Promise<(null | Error)[]> {
    await this.catalogue.refresh();
    // A replica that was frozen finds requests of connections that are gone since: they must not take over from the
    // session that their agent has with another replica.
    const alive = opened.filter(({ connection }) => !connection.closed.aborted);
    const newest = new Map(alive.map((session) => [session.agentId, session]));
    const keys = [...newest.values()].map(keyOf);
    const { replicaAheadMs, begun, commands } = await act(systemScope(this.app, "agents"), async (tools) => ({
      replicaAheadMs: this.app.clock.now() - tools.now.getTime(),
      begun: await beginSessions(tools, keys),
      commands: await openCommands(
        tools.client,
        keys.map((key) => key.agentId),
      ),
    }));
    return opened.map((session) => {
      if (!alive.includes(session)) return new AppError("SUPERSEDED", "The connection of this session is gone.");
      const start = begun.get(session.agentId);
      if (!start) return new AppError("UNAUTHENTICATED", `Agent ${session.name} was revoked; enrol this host again.`);
      if (newest.get(session.agentId) !== session) return this.superseded(session);
      this.install(session, start, replicaAheadMs);
      session.assignedBy = this.catalogue.fingerprint;
      session.begin(
        { ackedSeq: start.ackedSeq, ackedEpoch: start.spoolEpoch },
        this.catalogue.assignmentsFor(session),
        commands.get(session.agentId) ?? [],
      );
      return null;
    });
  }

  private install(session: AgentSession, { name, labels }: BegunSession, replicaAheadMs: number): void {
    const previous = this.byAgent.get(session.agentId);
    const skewMs = session.principal.clockSkewMs + replicaAheadMs;
    session.clockSkewMs = Math.abs(skewMs) < SKEW_NOISE_MS ? 0 : skewMs;
    session.name = name;
    session.labels = labels;
    this.byAgent.set(session.agentId, session);
    if (!previous) return;
    // The same connection may subscribe anew; only another one is shown the door.
    if (previous.connection.id === session.connection.id) previous.end();
    else this.close(previous, "SUPERSEDED");
  }

  private superseded(session: AgentSession): AppError {
    this.close(session, "SUPERSEDED");
    return new AppError("SUPERSEDED", `This session was superseded: ${SUPERSEDED}.`);
  }

  private close(session: AgentSession, verdict: SessionVerdict): void {
    session.end();
    if (verdict === "REVOKED") session.connection.close(CLOSE.REVOKED, "the agent was revoked");
    else {
      session.connection.close(CLOSE.SUPERSEDED, SUPERSEDED);
      this.record(session);
    }
  }

  private record({ name, agentId, connection }: AgentSession): void {
    act(systemScope(this.app, "agents"), async ({ emit }) =>
      emit({
        type: "agent.superseded",
        summary: `A newer connection of agent "${name}" took over; is the same identity in use on two hosts?`,
        payload: { agentId, connectionId: connection.id },
      }),
    ).catch((error) => this.app.log.warn({ err: error, agentId }, "a superseded session could not be recorded"));
  }

  private forget(session: AgentSession): void {
    if (this.byAgent.get(session.agentId) !== session) return;
    this.byAgent.delete(session.agentId);
    this.ending
      .add(keyOf(session))
      .catch((error) =>
        this.app.log.debug({ err: error }, "a session's end could not be recorded; its silence will tell"),
      );
  }
}

const keyOf = (session: AgentSession): SessionKey => ({ agentId: session.agentId, sessionId: session.id });
