import { join } from "node:path";
import {
  createSocket,
  ReportCommandDocument,
  ReportOutputDocument,
  ReportResultsDocument,
  type Socket,
  unwrap,
} from "@poppo-ops/client";
import { encodeResultBatch } from "@poppo-ops/plugins/wire";
import type { Logger } from "pino";
import { type Clock, within } from "./clock.js";
import { Commands } from "./commands/commands.js";
import { Journal } from "./commands/journal.js";
import { Reporter } from "./commands/reporter.js";
import type { AgentConfig } from "./config/config.js";
import type { Identity } from "./identity/identity.js";
import { Outputs } from "./output/outputs.js";
import type { Plugins } from "./plugins/plugins.js";
import type { Graces } from "./processes/process-group.js";
import type { Assignments } from "./scheduler/assignment.js";
import { cacheAssignments, cachedAssignments } from "./scheduler/assignment-cache.js";
import { Scheduler } from "./scheduler/scheduler.js";
import { Sender } from "./sender/sender.js";
import { Session, type SessionEnd } from "./session/session.js";
import { Spool } from "./spool/spool.js";

export interface AgentOptions {
  config: AgentConfig;
  identity: Identity;
  plugins: Plugins;
  log: Logger;
  clock: Clock;
  newId(): string;
  random(): number;
  redact(text: string): string;
  graces?: Graces;
}

export interface Agent {
  /** Resolves when the server wants this agent gone. */
  ended: Promise<SessionEnd>;
  /** Ends everything in order: probes, remediations, what is still to be sent (at most `FLUSH_MS`), the connection. */
  stop(): Promise<void>;
}

const FLUSH_MS = 5000;
/** A server that answers pings and never an operation must not hold the spool for ever. */
const ANSWER_WITHIN_MS = 60_000;
/** An end is reported after its output, so that whoever follows sees both; but not later than this. */
const OUTPUT_BEFORE_END_MS = 5000;

/** Puts the parts together and starts them. */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { config, identity, plugins, log, clock, newId, random, redact } = options;
  const info = (message: string, details = {}) => log.info(details, message);
  const warn = (message: string, details = {}) => log.warn(details, message);
  const server = serverCalls(() => session.socket, clock);

  const spool = Spool.open({
    ...{ clock, newId, warn, dir: join(config.dataDir, "spool") },
    maxBytes: config.spool.maxBytes,
    maxAgeMs: config.spool.maxAgeHours * 3_600_000,
  });
  const sender = new Sender({ spool, clock, random, warn, send: server.reportResults });
  spool.onReady = () => sender.wake();
  const scheduler = new Scheduler({ plugins, clock, redact, warn, report: (results) => spool.append(results) });

  const journal = new Journal(config.dataDir);
  const outputs = new Outputs({
    ...{ clock, random, redact, warn, dir: join(config.dataDir, "output") },
    send: server.reportOutput,
  });
  const reporter = new Reporter({
    ...{ journal, clock, random, warn, send: server.reportCommand },
    outputDelivered: (commandId) => outputs.delivered(commandId, OUTPUT_BEFORE_END_MS),
  });
  const commands = new Commands({
    ...{ agentId: identity.agentId, serverKey: identity.serverKey, policy: config.policy, graces: options.graces },
    ...{ journal, reporter, outputs, plugins, scheduler, clock, redact, warn },
  });
  let assigned = cachedAssignments(config.dataDir);
  if (assigned) scheduler.assign(assigned);
  const assign = (assignments: Assignments) => {
    if (assignments.version === assigned?.version) return;
    assigned = assignments;
    scheduler.assign(assignments);
    info(`${assignments.probes.length} probes assigned`, { version: assignments.version });
    try {
      cacheAssignments(config.dataDir, assignments);
    } catch (error) {
      warn(`cannot keep the assignments for the next start: ${(error as Error).message}`);
    }
  };

  await commands.recover();
  const followers = [outputs, reporter, commands];
  const session = new Session({
    ...{ clock, random, info, warn },
    connect: (onState) =>
      createSocket({
        ...{ url: config.server, random, onState },
        connectionParams: async () => ({
          agent: { id: identity.agentId, assertion: await identity.assertion(clock.now(), newId()) },
        }),
      }),
    onConnected(epoch, acked) {
      sender.connected(epoch, acked);
      for (const follower of followers) follower.connected();
    },
    onDisconnected(leaseMs) {
      sender.disconnected();
      for (const follower of followers) follower.disconnected(leaseMs);
    },
    onMessage({ assignments, commands: received }) {
      if (assignments) assign(assignments);
      for (const command of received) void commands.receive(command);
    },
  });

  return {
    ended: session.ended,
    async stop() {
      // Together: a command must not begin while the probes end.
      await Promise.all([scheduler.stop(), commands.stop()]);
      spool.flush();
      if (session.isUp) await within(clock, FLUSH_MS, Promise.all([sender.drained(), reporter.idle()]));
      outputs.stop();
      sender.disconnected();
      await within(clock, FLUSH_MS, session.close());
      await spool.close();
      journal.close();
    },
  };
}

/** What the agent says to the server, as plain functions. */
function serverCalls(socket: () => Socket, clock: Clock) {
  async function call<Data>(execute: (signal: AbortSignal) => Promise<Data>): Promise<Data> {
    const abort = new AbortController();
    const cancel = clock.after(ANSWER_WITHIN_MS, () => abort.abort());
    try {
      return await execute(abort.signal);
    } finally {
      cancel();
    }
  }
  return {
    async reportResults(batch: Parameters<typeof encodeResultBatch>[0]) {
      const variables = { batch: encodeResultBatch(batch) };
      const { reportResults } = await call((signal) => socket().execute(ReportResultsDocument, variables, { signal }));
      return { ...reportResults, ackedSeq: Number(reportResults.ackedSeq) };
    },
    async reportOutput(batch: unknown) {
      return (await call((signal) => socket().execute(ReportOutputDocument, { batch }, { signal }))).reportOutput;
    },
    async reportCommand({ fencingToken, ...report }: { commandId: string; fencingToken: number }) {
      const input = { ...report, fencingToken: String(fencingToken) };
      const answer = await call((signal) => socket().execute(ReportCommandDocument, { input }, { signal }));
      unwrap(answer.reportCommand);
    },
  };
}
