import { CLOSE } from "@poppo-ops/plugins/wire";
import type { Express, RequestHandler } from "express";
import { endedTokens, tokenAuthenticator } from "./access/authenticate-token.js";
import { openAgents } from "./agents/agents-room.js";
import type { Module } from "./engine/engine.js";
import type { Connection } from "./graphql/context.js";
import type { Authenticator, Credentials } from "./http/authenticate.js";
import type { Connections } from "./http/connections.js";
import { wakeSnoozed } from "./incidents/incident.service.js";
import { type App, systemScope } from "./kernel/app.js";
import { act } from "./kernel/command.js";
import { ANONYMOUS, type Principal } from "./kernel/permissions.js";
import { EngineCycles } from "./operations/engine-cycles.js";
import { gaugeRooms } from "./operations/gauge-rooms.js";
import { operationsRoutes } from "./operations/operations-room.js";
import { remediationModules } from "./remediations/remediations-room.js";
import { openSignals } from "./signals/signals-room.js";

/** What the rooms give to the server: ways to prove who one is, routes, and what the engine looks after. */
export interface Rooms {
  authenticate(credentials: Credentials): Promise<Principal>;
  onAlive(connection: Connection): void;
  routes(web: Express, identified: RequestHandler): void;
  modules: Module[];
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function openRooms(app: App, connections: Connections): Rooms {
  const signals = openSignals(app);
  const agents = openAgents(app, connections);
  const authenticators: Authenticator[] = [tokenAuthenticator(app), agents.authenticate];
  gaugeRooms(app, agents);
  const cycles = new EngineCycles(app.clock, app.metrics);
  const authenticate = async (credentials: Credentials) => {
    for (const authenticator of authenticators) {
      const principal = await authenticator(credentials);
      if (principal) return principal;
    }
    return ANONYMOUS;
  };
  const modules: Module[] = [
    {
      name: "wake snoozed incidents",
      batch: Number.POSITIVE_INFINITY,
      everyMs: 1000,
      step: () => act(systemScope(app), wakeSnoozed),
    },
    {
      name: "close connections of ended tokens",
      batch: Number.POSITIVE_INFINITY,
      everyMs: 1000,
      wakeOn: (topic) => topic === "access",
      step: () => closeEnded(app, connections),
    },
    ...agents.modules,
    ...remediationModules(app, agents.watch),
  ];
  return {
    authenticate,
    onAlive: agents.onAlive,
    routes: (web, identified) => {
      signals.routes(web);
      operationsRoutes(web, app, { cycles, identified });
    },
    modules: modules.map((module) => cycles.observe(module)),
    start: agents.start,
    async stop() {
      await signals.stop();
      await agents.stop();
    },
  };
}

async function closeEnded(app: App, connections: Connections): Promise<number> {
  const ids = new Set([...connections].flatMap(({ principal }) => (principal.kind === "token" ? [principal.id] : [])));
  const ended = await endedTokens(app, [...ids]);
  connections.close(new Set(ended), CLOSE.REVOKED, "the token was revoked or has expired");
  return ended.length;
}
