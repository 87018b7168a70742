import { drizzle, type NodePgDatabase } from "drizzle-orm/node-postgres";
import pg from "pg";
import { gatheringSocket } from "./gathering-socket.js";

export type Db = NodePgDatabase;

export interface Statement {
  text: string;
  values: unknown[];
  /** Named: PostgreSQL parses it once per connection. For what runs many times a second. */
  name?: string;
}

export interface Transaction {
  db: Db;
  /** For bulk statements by `unnest`: drizzle's builder stops at 65,535 parameters. */
  client: pg.PoolClient;
  /** The database's clock at the start of the transaction. */
  now: Date;
  /**
   * A statement whose answer nobody waits for within the transaction: what follows does not wait for its round trip.
   * When it fails, the transaction fails.
   */
  send(statement: Statement): Promise<pg.QueryResult>;
  /** The answer to `opening`. */
  opened: pg.QueryResult | undefined;
}

export interface TransactionOptions {
  isolation?: "READ COMMITTED" | "REPEATABLE READ";
  /** The first statement, when it does not depend on anything: it shares the round trip of BEGIN. */
  opening?: Statement;
}

export interface Database {
  db: Db;
  pool: pg.Pool;
  /**
   * One transaction; rolled back when `run` throws. PostgreSQL ends a deadlock by refusing one of those in it: that one
   * runs again, so `run` must keep nothing from its first time.
   */
  transaction<T>(run: (tx: Transaction) => Promise<T>, options?: TransactionOptions): Promise<T>;
  close(): Promise<void>;
}

export function openDatabase(options: { url: string; poolSize?: number; onError(error: Error): void }): Database {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.poolSize ?? 10,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    // Statements that do not need each other's answers share a round trip: five selects took 0.31 ms instead of 1.05.
    pipeline: true,
    stream: gatheringSocket,
    // A peer that is gone without a word; longer than `statement_timeout`, which ends what merely takes long.
    query_timeout: 40_000,
    application_name: "poppo-ops",
    // The rows that a frozen replica has locked are those of agents that move to another one now. A statement ends with the
    // deadline of operations: nobody waits for its answer, and it would keep its connection from others.
    options: "-c idle_in_transaction_session_timeout=10000 -c statement_timeout=30000",
  });
  pool.on("error", (error) => {
    // The embedded PostgreSQL stops right after the pool, and may tell a connection that is ending as well.
    if (!pool.ending) options.onError(error);
  });
  // The pool listens to idle clients only; the error of one that breaks between two statements of a transaction would
  // end the process.
  pool.on("connect", (client) => client.on("error", () => {}));
  const once = async <T>(run: (tx: Transaction) => Promise<T>, options: TransactionOptions): Promise<T> => {
    const client = await pool.connect();
    let cause: Error | undefined;
    let broken: Error | undefined;
    try {
      const [now, opened] = await begin(client, options);
      const sent: Promise<unknown>[] = [];
      const send = (statement: Statement) => {
        const answer = client.query(statement);
        // Statements after it fail too, but it is the one that knows why.
        answer.catch((error) => {
          cause ??= error;
        });
        sent.push(answer);
        return answer;
      };
      const result = await run({ db: dbOf(client), client, now, opened, send });
      await Promise.all([...sent, client.query("COMMIT")]);
      return result;
    } catch (error) {
      await client.query("ROLLBACK").catch((reason: Error) => {
        broken = reason;
      });
      throw cause ?? error;
    } finally {
      client.release(broken);
    }
  };
  const bound = new WeakMap<pg.PoolClient, Db>();
  const dbOf = (client: pg.PoolClient) => {
    const known = bound.get(client) ?? drizzle(client);
    bound.set(client, known);
    return known;
  };

  return {
    db: drizzle(pool),
    pool,
    async transaction(run, options = {}) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await once(run, options);
        } catch (error) {
          if (attempt === ATTEMPTS || !PASSING.has(errorCode(error) ?? "")) throw error;
        }
      }
    },
    close: () => pool.end(),
  };
}

const ATTEMPTS = 4;
/** A deadlock; and a row on its way into the default partition while the partition of its hour was made. */
const PASSING = new Set(["40P01", "23514"]);

/** One round trip for all of it. */
async function begin(
  client: pg.PoolClient,
  { isolation = "READ COMMITTED", opening }: TransactionOptions,
): Promise<[now: Date, opened: pg.QueryResult | undefined]> {
  const [begun, opened] = await Promise.all([
    client.query(`BEGIN ISOLATION LEVEL ${isolation}; SELECT date_trunc('milliseconds', now()) AS now`),
    opening && client.query(opening),
  ]);
  const [, clock] = begun as unknown as pg.QueryResult<{ now: Date }>[];
  return [clock!.rows[0]!.now, opened];
}

/** Codes of PostgreSQL and of the socket that mean "the database cannot be reached just now". */
const UNREACHABLE = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENOTFOUND",
  "ENOENT",
  "EPIPE",
  "57P01",
  "57P02",
  "57P03",
  "25P03",
  "08006",
  "08003",
  "53300",
]);
/** What node-postgres says in words only. */
const BROKEN =
  /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Client was closed|Query read timeout|Cannot use a pool after calling end/;

export function isUnreachable(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) {
    const { code } = e as { code?: string };
    if ((code && UNREACHABLE.has(code)) || BROKEN.test(e.message)) return true;
  }
  return false;
}

/** The code PostgreSQL gave an error, through what wraps it: https://www.postgresql.org/docs/current/errcodes-appendix.html */
export function errorCode(error: unknown): string | undefined {
  for (let e = error; e instanceof Error; e = e.cause) {
    const { code } = e as { code?: string };
    if (code && /^[0-9A-Z]{5}$/.test(code)) return code;
  }
  return undefined;
}

/** Unique, foreign key, and what PostgreSQL 18 calls `ON DELETE RESTRICT`. */
const CONSTRAINT = new Set(["23505", "23503", "23001"]);

/** The name of the unique or foreign key constraint a statement ran into. */
export function violatedConstraint(error: unknown): string | undefined {
  for (let e = error; e instanceof Error; e = e.cause) {
    const { code, constraint } = e as { code?: string; constraint?: string };
    if (code && CONSTRAINT.has(code)) return constraint;
  }
  return undefined;
}
