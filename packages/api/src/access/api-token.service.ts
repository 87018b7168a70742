import { eq, sql } from "drizzle-orm";
import { z } from "zod";
import { AppError } from "../kernel/app-error.js";
import { command } from "../kernel/command.js";
import { duration } from "../kernel/durations.js";
import { hashToken, newToken, tokenPrefix } from "../kernel/ids.js";
import { ROLES } from "../kernel/permissions.js";
import { uuid } from "../kernel/uuid.js";
import { apiTokens } from "./api-token.table.js";

const YEAR = 366 * 86_400_000;

/** Roles a token can have: agents prove themselves with a key instead. */
const tokenRole = z
  .enum(ROLES)
  .refine((role) => role !== "AGENT", "AGENT is for enrolled agents, which use a key; use createEnrolmentToken.");

export const createApiToken = command({
  permission: "token:manage",
  input: z.object({
    name: z.string().trim().min(1).max(100).describe("What it is for."),
    role: tokenRole.describe("What it may do; not AGENT."),
    expiresIn: duration(60_000, 10 * YEAR)
      .optional()
      .describe("Absent: it does not expire."),
  }),
  async run({ db, now, emit, scope }, { name, role, expiresIn }) {
    const token = newToken("api");
    const [apiToken] = await db
      .insert(apiTokens)
      .values({
        name,
        role,
        prefix: tokenPrefix(token),
        hash: hashToken(token),
        createdBy: scope.principal.name,
        createdAt: now,
        expiresAt: expiresIn ? new Date(now.getTime() + expiresIn) : null,
      })
      .returning();
    emit({
      type: "token.created",
      summary: `API token "${name}" with role ${role} was made`,
      payload: { tokenId: apiToken!.id, role },
    });
    return { apiToken: apiToken!, token };
  },
});

export const revokeApiToken = command({
  permission: "token:manage",
  input: z.object({ id: uuid().describe("The token.") }),
  async run({ db, now, emit, hint }, { id }) {
    const [apiToken] = await db
      .update(apiTokens)
      .set({ revokedAt: sql`coalesce(${apiTokens.revokedAt}, ${now})` })
      .where(eq(apiTokens.id, id))
      .returning();
    if (!apiToken) throw new AppError("NOT_FOUND", `There is no API token ${id}.`, { field: "id" });
    emit({ type: "token.revoked", summary: `API token "${apiToken.name}" was revoked`, payload: { tokenId: id } });
    hint("access");
    return { apiToken };
  },
});
