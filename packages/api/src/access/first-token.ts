import { eq, sql } from "drizzle-orm";
import { type App, systemScope } from "../kernel/app.js";
import { act } from "../kernel/command.js";
import { hashToken, newToken, tokenPrefix } from "../kernel/ids.js";
import { apiTokens } from "./api-token.table.js";

/**
 * The way into a new installation. `given` (`POPPO_ADMIN_TOKEN`) is made an admin token if it is not one yet; without it
 * an installation that has no token at all gets one.
 * @returns the token when it was made just now: the only moment it can be shown
 */
export async function ensureFirstToken(app: App, given: string | undefined): Promise<string | undefined> {
  return act(systemScope(app), async ({ db, now, emit }) => {
    // Replicas that start together must not each make one.
    await db.execute(sql`LOCK TABLE ${apiTokens} IN SHARE ROW EXCLUSIVE MODE`);
    const wanted = given ? eq(apiTokens.hash, hashToken(given)) : undefined;
    const [existing] = await db.select({ id: apiTokens.id }).from(apiTokens).where(wanted).limit(1);
    if (existing) return undefined;
    const token = given ?? newToken("api");
    await db.insert(apiTokens).values({
      name: "first admin",
      role: "ADMIN",
      prefix: given ? "POPPO_ADMIN_TOKEN" : tokenPrefix(token),
      hash: hashToken(token),
      createdBy: "system",
      createdAt: now,
    });
    emit({ type: "token.created", summary: "The first admin token was made", payload: { role: "ADMIN" } });
    return token;
  });
}
