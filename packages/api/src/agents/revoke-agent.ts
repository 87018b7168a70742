import { and, eq, isNull } from "drizzle-orm";
import { z } from "zod";
import type { Db } from "../db/database.js";
import { AppError } from "../kernel/app-error.js";
import { command } from "../kernel/command.js";
import { uuid } from "../kernel/uuid.js";
import { resolveOver } from "../signals/over-incidents.js";
import { agentSessions, agents } from "./agent.table.js";
import { incidentsBehind } from "./incidents-behind.js";

/** Ends an agent for good: its sockets close within a second, its name is free again. Revoking twice changes nothing. */
export const revokeAgent = command({
  permission: "agent:manage",
  input: z.object({ id: uuid(), reason: z.string().trim().max(2000).optional().describe("Why; stands in the log.") }),
  async run(act, { id, reason }) {
    const { db, now, emit, hint } = act;
    // The session first: whoever writes results holds that row too, and what is under way is done or refused as a whole.
    await db.update(agentSessions).set({ sessionId: null }).where(eq(agentSessions.agentId, id));
    const [agent] = await db
      .update(agents)
      .set({ status: "REVOKED", revokedAt: now })
      .where(and(eq(agents.id, id), isNull(agents.revokedAt)))
      .returning();
    if (!agent) return { agent: await revokedBefore(db, id) };
    const behind = [
      ...(await incidentsBehind(act, "agent_id", id)),
      ...(agent.downIncidentId ? [agent.downIncidentId] : []),
    ];
    await resolveOver(act, behind, `Agent ${agent.name} was revoked`);
    emit({
      type: "agent.revoked",
      summary: `Agent "${agent.name}" was revoked${reason ? `: ${reason}` : ""}`,
      payload: { agentId: id, reason: reason ?? null },
    });
    hint("access");
    hint("agents");
    hint(`agent:${id}`);
    return { agent };
  },
});

async function revokedBefore(db: Db, id: string) {
  const [agent] = await db.select().from(agents).where(eq(agents.id, id));
  if (!agent) throw new AppError("NOT_FOUND", `There is no agent ${id}.`, { field: "id" });
  return agent;
}
