import { and, eq, isNull } from "drizzle-orm";
import type { App } from "../kernel/app.js";
import { AppError } from "../kernel/app-error.js";
import { hashToken } from "../kernel/ids.js";
import { type IntegrationKind, integrations } from "./integration.table.js";

const CACHE = 10_000;

/**
 * Finds the integration of a key. What was found is remembered: a key never belongs to another one, and whether it was
 * revoked is asked again where it counts, in the transaction.
 */
export function integrationKeys(app: App, kind: IntegrationKind): (key: string) => Promise<string> {
  const known = new Map<string, string>();
  return async (key) => {
    const hash = hashToken(key);
    const id = known.get(hash) ?? (await lookUp(app, kind, hash));
    if (known.size >= CACHE) known.clear();
    known.set(hash, id);
    return id;
  };
}

async function lookUp({ database }: App, kind: IntegrationKind, hash: string): Promise<string> {
  const [found] = await database.db
    .select({ id: integrations.id })
    .from(integrations)
    .where(and(eq(integrations.hash, hash), eq(integrations.kind, kind), isNull(integrations.revokedAt)));
  if (!found) throw unknownKey();
  return found.id;
}

/** The same for a key that never was and for one that was revoked. */
export const unknownKey = (): AppError =>
  new AppError("NOT_FOUND", "There is no integration with this key; `poppo-ops integrations create` makes one.");
