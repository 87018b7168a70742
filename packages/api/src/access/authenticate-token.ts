import { and, inArray, isNotNull, lte, or, sql } from "drizzle-orm";
import { type Authenticator, bearerToken } from "../http/authenticate.js";
import type { App } from "../kernel/app.js";
import { AppError } from "../kernel/app-error.js";
import { hashToken } from "../kernel/ids.js";
import type { Principal } from "../kernel/permissions.js";
import { type ApiTokenRow, apiTokens } from "./api-token.table.js";

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

/** Its use is written at most once a minute: a busy token must not make a row version per request. */
const LOOK_UP = {
  name: "api_token",
  text: `WITH token AS (
      SELECT id, name, role FROM api_tokens WHERE hash = $1 AND revoked_at IS NULL AND coalesce(expires_at > now(), true)),
    used AS (
      UPDATE api_tokens t SET last_used_at = now() FROM token
      WHERE t.id = token.id AND coalesce(t.last_used_at <= now() - interval '1 minute', true))
    SELECT * FROM token`,
};

async function lookUp({ database }: App, hash: string): Promise<Principal> {
  const { rows } = await database.pool.query<Pick<ApiTokenRow, "id" | "name" | "role">>({ ...LOOK_UP, values: [hash] });
  if (!rows[0]) throw new AppError("UNAUTHENTICATED", "The token is unknown, expired or revoked.");
  return { kind: "token", ...rows[0] };
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
