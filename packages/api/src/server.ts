import "reflect-metadata";
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Logger } from "pino";
import { ensureFirstToken } from "./access/first-token.js";
import { openDatabase } from "./db/database.js";
import { gaugePool } from "./db/gauge-pool.js";
import { migrate } from "./db/migrate.js";
import { postgresHints, type RemoteHints } from "./db/postgres-hints.js";
import { Engine } from "./engine/engine.js";
import { EventLog } from "./events/event-log.js";
import { FanOut } from "./events/fan-out.js";
import { createApollo } from "./graphql/apollo.js";
import { Operations } from "./graphql/operation.js";
import { Admission } from "./http/admission.js";
import { Connections } from "./http/connections.js";
import { healthRoutes } from "./http/health.js";
import { gaugeServer, metricsRoute } from "./http/metrics.js";
import { createHttpServer } from "./http/server.js";
import { UnderWay } from "./http/under-way.js";
import { type SocketLayer, serveWebSocket } from "./http/websocket.js";
import type { App } from "./kernel/app.js";
import { AppError } from "./kernel/app-error.js";
import { appendedEvents } from "./kernel/appended.js";
import { type Clock, systemClock } from "./kernel/clock.js";
import { createMetrics } from "./kernel/metrics.js";
import { openRooms } from "./rooms.js";
import { buildSchema } from "./schema.js";

/** One costs 1 to 2 ms of this process, so more would leave nothing for those who are connected. */
const CONNECTIONS_PER_SECOND = 500;
const DRAIN_MS = 5_000;
const DRAIN_STEP_MS = 50;

export interface ServerOptions {
  databaseUrl: string;
  host: string;
  port: number;
  adminToken?: string;
  natsUrl?: string;
  log: Logger;
  version: string;
  clock?: Clock;
  poolSize?: number;
  /** How many WebSocket connections are taken up per second. */
  connectionsPerSecond?: number;
  /** Replaces the bus between replicas; tests drop hints with it. */
  hints?: (app: Pick<App, "clock" | "log" | "database">) => RemoteHints;
}

export interface RunningServer {
  url: string;
  app: App;
  connections: Connections;
  fanOut: FanOut;
  log: EventLog;
  /** The admin token, when it was made just now. */
  firstToken?: string;
  /** Not ready → stop accepting → close sockets in slices → finish what runs → let go of the database. */
  stop(): Promise<void>;
}

type Closers = (() => Promise<unknown>)[];

/** Starts one replica. @throws {AppError} when the port is taken, and what the database answers */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const closers: Closers = [];
  const stop = async () => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    return { ...(await open(options, closers)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Whatever is opened leaves in `closers` how it is closed; they run last to first. */
async function open(options: ServerOptions, closers: Closers): Promise<Omit<RunningServer, "stop">> {
  const { log, clock = systemClock, connectionsPerSecond = CONNECTIONS_PER_SECOND } = options;
  await migrate(options.databaseUrl);
  const database = openDatabase({
    url: options.databaseUrl,
    poolSize: options.poolSize,
    onError: (error) => log.warn({ err: error }, "a database connection broke"),
  });
  closers.push(() => database.close());
  const metrics = createMetrics(options.version);
  gaugePool(metrics, database);
  const hints = await openHints(options, { clock, log, database });
  closers.push(() => hints.stop());
  const app: App = { database, hints, appended: appendedEvents(), clock, log, metrics };
  const firstToken = await ensureFirstToken(app, options.adminToken);

  const events = new EventLog(app);
  const fanOut = new FanOut(app, events);
  const engine = new Engine(app);
  const connections = new Connections();
  const rooms = openRooms(app, connections);
  const operations = new Operations(await buildSchema());
  const apollo = createApollo(app, operations);
  await apollo.start();
  closers.push(() => apollo.stop());
  await events.start();
  closers.push(() => events.stop());
  fanOut.start();
  closers.push(
    () => fanOut.stop(),
    () => rooms.stop(),
    () => engine.stop(),
  );

  const state = { ready: false, startedAt: clock.now(), version: options.version };
  const underWay = new UnderWay();
  const http = createHttpServer({
    app,
    apollo,
    operations,
    authenticate: rooms.authenticate,
    underWay,
    routes: (web, identified) => {
      healthRoutes(web, app, events, state);
      metricsRoute(web, app);
      rooms.routes(web, identified);
    },
  });
  const sockets = serveWebSocket({
    app,
    http,
    operations,
    log: events,
    fanOut,
    connections,
    admission: new Admission(clock, connectionsPerSecond),
    authenticate: rooms.authenticate,
    underWay,
    onAlive: rooms.onAlive,
  });
  gaugeServer(app, { events, fanOut, connections, sockets });
  closers.push(async () => {
    state.ready = false;
    await drain(http, sockets, clock);
  });
  await listen(http, options.host, options.port);
  await rooms.start();
  engine.start(rooms.modules);
  state.ready = true;

  return {
    url: urlOf(http, options.host),
    app,
    connections,
    fanOut,
    log: events,
    firstToken,
  };
}

/** Nothing new is accepted, sockets are closed, and requests under way have five seconds to be answered. */
async function drain(http: Server, sockets: SocketLayer, clock: Clock): Promise<void> {
  if (!http.listening) return sockets.stop();
  let open = true;
  const closed = once(http, "close").then(() => {
    open = false;
  });
  http.close();
  http.closeIdleConnections();
  await sockets.stop();
  for (let waited = 0; open && waited < DRAIN_MS; waited += DRAIN_STEP_MS) {
    http.closeIdleConnections();
    await Promise.race([closed, clock.sleep(DRAIN_STEP_MS)]);
  }
  http.closeAllConnections();
  await closed;
}

async function openHints(options: ServerOptions, parts: Pick<App, "clock" | "log" | "database">): Promise<RemoteHints> {
  if (options.hints) return options.hints(parts);
  if (!options.natsUrl) return postgresHints(parts, options.databaseUrl);
  const { natsHints } = await import("./db/nats-hints.js");
  return natsHints(parts, options.natsUrl);
}

async function listen(http: Server, host: string, port: number): Promise<void> {
  http.listen(port, host);
  try {
    await once(http, "listening");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EADDRINUSE")
      throw new AppError(
        "CONFLICT",
        `Port ${port} on ${host} is taken by another program. Stop it, or set POPPO_PORT.`,
      );
    if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND")
      throw new AppError("BAD_INPUT", `POPPO_HOST is "${host}", which is no address of this machine.`);
    if (code === "EACCES")
      throw new AppError("BAD_INPUT", `Port ${port} on ${host} is not for this user. Set POPPO_PORT to 1024 or more.`);
    throw error;
  }
}

function urlOf(http: Server, host: string): string {
  const { port } = http.address() as AddressInfo;
  const shown = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  return `http://${shown.includes(":") ? `[${shown}]` : shown}:${port}`;
}
