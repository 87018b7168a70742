import { CLOSE } from "@poppo-ops/plugins/wire";
import type { Module } from "../engine/engine.js";
import type { Connection } from "../graphql/context.js";
import type { Authenticator } from "../http/authenticate.js";
import type { Connections } from "../http/connections.js";
import type { App } from "../kernel/app.js";
import { agentsDown } from "./agents-down.js";
import { agentAuthenticator, isAgent } from "./authenticate-agent.js";
import { expireCommands } from "./expire-commands.js";
import { Ingest } from "./ingest.js";
import { LastSeen } from "./last-seen.js";
import { missingResultsModule } from "./missing-results.js";
import { ProbeCatalogue } from "./probe-catalogue.js";
import { resultPartitions } from "./result-partitions.js";
import { Sessions } from "./sessions.js";
import { signingKey } from "./signing-key.js";
import { stillFailing } from "./still-failing.js";
import { Watch } from "./watch.js";

export interface AgentsOptions {
  /** An agent that was silent for longer is down. */
  downAfterMs: number;
  /** After a start nobody is declared down for this long. */
  graceMs: number;
  /** How long raw results are kept. */
  retentionMs: number;
  /** How often silence, missing results and resolved problems are looked for. */
  sweepMs: number;
}

const DEFAULTS: AgentsOptions = {
  downAfterMs: 60_000,
  graceMs: 90_000,
  retentionMs: 48 * 3_600_000,
  sweepMs: 5000,
};

/** What this replica holds for agents while it runs. */
export interface AgentsRoom {
  authenticate: Authenticator;
  sessions: Sessions;
  ingest: Ingest;
  watch: Watch;
  onAlive(connection: Connection): void;
  modules: Module[];
  start(): Promise<void>;
  stop(): Promise<void>;
}

const rooms = new WeakMap<App, AgentsRoom>();

/** The room of a server that has opened it: how resolvers get there. */
export const agentsRoom = (app: App): AgentsRoom => rooms.get(app)!;

export function openAgents(app: App, connections: Connections, options: Partial<AgentsOptions> = {}): AgentsRoom {
  const { downAfterMs, graceMs, retentionMs, sweepMs } = { ...DEFAULTS, ...options };
  const watch = new Watch(app.clock);
  const lastSeen = new LastSeen(app, watch);
  const catalogue = new ProbeCatalogue(app);
  const sessions = new Sessions(app, catalogue);
  const ingest = new Ingest(app, sessions, catalogue);
  const room: AgentsRoom = {
    authenticate: agentAuthenticator(app),
    sessions,
    ingest,
    watch,
    onAlive: ({ principal }) => {
      if (isAgent(principal)) lastSeen.note(principal.id);
    },
    modules: [
      {
        name: "agent sessions",
        batch: Number.POSITIVE_INFINITY,
        everyMs: 1000,
        wakeOn: (topic) => sessions.hears(topic),
        step: () => sessions.step(),
      },
      {
        name: "close connections of revoked agents",
        batch: Number.POSITIVE_INFINITY,
        everyMs: 1000,
        wakeOn: (topic) => topic === "access",
        step: () => closeRevoked(app, connections),
      },
      lastSeen.module(Math.min(sweepMs, downAfterMs / 4)),
      agentsDown(app, watch, { downAfterMs, graceMs, everyMs: Math.min(sweepMs, downAfterMs / 4) }),
      missingResultsModule(app, watch, sweepMs),
      stillFailing(app, sweepMs),
      expireCommands(app, 60_000),
      resultPartitions(app, retentionMs, 60_000),
    ],
    async start() {
      await signingKey(app);
      await catalogue.refresh();
      watch.wrote();
    },
    async stop() {
      await ingest.stop();
      await sessions.stop();
    },
  };
  rooms.set(app, room);
  return room;
}

const REVOKED = { name: "revoked_agents", text: "SELECT id FROM agents WHERE id = ANY($1) AND revoked_at IS NOT NULL" };

async function closeRevoked({ database }: App, connections: Connections): Promise<number> {
  const ids = new Set([...connections].flatMap(({ principal }) => (isAgent(principal) ? [principal.id] : [])));
  if (ids.size === 0) return 0;
  const { rows } = await database.pool.query<{ id: string }>({ ...REVOKED, values: [[...ids]] });
  connections.close(new Set(rows.map(({ id }) => id)), CLOSE.REVOKED, "the agent was revoked");
  return rows.length;
}
