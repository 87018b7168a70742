import { and, eq, gt, inArray, isNotNull, isNull, lte, or, sql } from "drizzle-orm";
import { type Authenticator, bearerToken } from "../http/authenticate.js";
import type { App } from "../kernel/app.js";
import { AppError } from "../kernel/app-error.js";
import { hashToken } from "../kernel/ids.js";
import type { Principal } from "../kernel/permissions.js";
import { apiTokens } from "./api-token.table.js";

/** How long a token's answer is believed without asking the database; a revocation is heard of within that time. */
const TRUST_MS = 1000;
const CACHE = 10_000;

/**
 * `Authorization: Bearer poppo_api_…`, from the header or from `connectionParams.authorization`. Those who come with one
 * token while it is looked up wait for that answer: after a restart thousands do, and a statement each kept the pool
 * busy past its timeout.
 */
export function tokenAuthenticator(app: App): Authenticator {
  const known = new Map<string, { principal: Promise<Principal>; until: number }>();
  return async (credentials) => {
    if (credentials.authorization === undefined) return null;
    const token = bearerToken(credentials);
    if (!token) throw new AppError("UNAUTHENTICATED", "The authorization is not `Bearer <token>`.");
    const hash = hashToken(token);
    const now = app.clock.monotonic();
    const cached = known.get(hash);
    if (cached && cached.until > now) return cached.principal;
    if (known.size >= CACHE) known.clear();
    const asked = { principal: lookUp(app, hash), until: now + TRUST_MS };
    known.set(hash, asked);
    asked.principal.catch(() => {
      if (known.get(hash) === asked) known.delete(hash);
    });
    return asked.principal;
  };
}

async function lookUp(app: App, hash: string): Promise<Principal> {
  const { db } = app.database;
  const usable = and(isNull(apiTokens.revokedAt), or(isNull(apiTokens.expiresAt), gt(apiTokens.expiresAt, sql`now()`)));
  const [token] = await db
    .select()
    .from(apiTokens)
    .where(and(eq(apiTokens.hash, hash), usable));
  if (!token) throw new AppError("UNAUTHENTICATED", "The token is unknown, expired or revoked.");
  // Written at most once a minute: a busy token must not make a row version per request.
  const stale = or(isNull(apiTokens.lastUsedAt), lte(apiTokens.lastUsedAt, sql`now() - interval '1 minute'`));
  await db
    .update(apiTokens)
    .set({ lastUsedAt: sql`now()` })
    .where(and(eq(apiTokens.id, token.id), stale));
  return { kind: "token", id: token.id, name: token.name, role: token.role };
}

/** Which of these tokens must not be used any more: for connections that outlive their token. */
export async function endedTokens(app: App, ids: string[]): Promise<string[]> {
  if (ids.length === 0) return [];
  const rows = await app.database.db
    .select({ id: apiTokens.id })
    .from(apiTokens)
    .where(and(inArray(apiTokens.id, ids), or(isNotNull(apiTokens.revokedAt), lte(apiTokens.expiresAt, sql`now()`))));
  return rows.map((row) => row.id);
}
