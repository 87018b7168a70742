import DataLoader from "dataloader";
import type { Db } from "../db/database.js";
import type { App, Scope } from "../kernel/app.js";
import { newId } from "../kernel/ids.js";
import type { Principal } from "../kernel/permissions.js";
import { parseUuid } from "../kernel/uuid.js";

/** How to load many objects by key in one query; results in the order of the keys. A key is text that is or begins with an id, or a plain object. */
export type LoaderDefinition<Key, Value> = (db: Db, keys: readonly Key[]) => Promise<(Value | null)[]>;

/** One cache per operation: nothing is read twice within it, and nothing outlives it. */
export class Loaders {
  private readonly loaders = new Map<unknown, DataLoader<never, unknown, unknown>>();
  constructor(private readonly db: Db) {}

  /** @throws {AppError} BAD_INPUT when the id is none: it would fail those that are loaded together with it too */
  load<Key, Value>(definition: LoaderDefinition<Key, Value>, key: Key): Promise<Value | null> {
    const known = this.loaders.get(definition);
    const loader =
      known ??
      new DataLoader<never, unknown, unknown>(async (keys) => definition(this.db, keys), {
        maxBatchSize: 1000,
        cacheKeyFn: (key) => (typeof key === "string" ? key : JSON.stringify(key)),
      });
    if (!known) this.loaders.set(definition, loader);
    return loader.load((typeof key === "string" ? checked(key) : key) as never) as Promise<Value | null>;
  }
}

/** Case does not matter to PostgreSQL, but to those who put its rows in order. */
function checked(key: string): string {
  const [id] = key.split(" ", 1) as [string];
  return parseUuid(id, "id") + key.slice(id.length);
}

/** Puts rows into the order of the keys that asked for them. */
export function inOrder<Key, Row>(
  keys: readonly Key[],
  rows: readonly Row[],
  keyOf: (row: Row) => Key,
): (Row | null)[] {
  const byKey = new Map(rows.map((row) => [keyOf(row), row]));
  return keys.map((key) => byKey.get(key) ?? null);
}

export interface Context {
  scope: Scope;
  loaders: Loaders;
  requestId: string;
  /** Set on a WebSocket: what belongs to this connection. */
  connection?: Connection;
}

/** One WebSocket connection, as a room may see it. */
export interface Connection {
  id: string;
  principal: Principal;
  closed: AbortSignal;
  close(code: number, reason: string): void;
}

export function newContext(app: App, principal: Principal, connection?: Connection): Context {
  return { scope: { app, principal }, loaders: new Loaders(app.database.db), requestId: newId(), connection };
}
