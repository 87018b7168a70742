import { COMMAND_ENDS, LIMITS } from "@poppo-ops/plugins/wire";
import { and, eq, isNull, sql } from "drizzle-orm";
import { z } from "zod";
import { command } from "../kernel/command.js";
import { uuid } from "../kernel/uuid.js";
import { agentCommands } from "./agent.table.js";

const token = z
  .string()
  .regex(/^\d{1,18}$/, "a whole number as text")
  .meta({ graphql: "BigInt" });

/**
 * An agent says that a command started, or how it ended. Exactly one end is ever recorded, and only from the agent and
 * with the fencing token the command was given.
 * @returns `accepted: false` when the report came too late or twice, and changed nothing
 */
export const reportCommand = command({
  permission: "agent:report",
  input: z.object({
    commandId: uuid().describe("The command it is about."),
    fencingToken: token.describe("As the command brought it; a stale one changes nothing."),
    end: z.enum(COMMAND_ENDS).optional().describe("Absent: the command started."),
    summary: z.string().max(LIMITS.reportSummaryChars).optional().describe("One line for a person."),
    result: z.unknown().optional().describe("What came of it, by the kind of command."),
    survivors: z.array(z.int().min(0)).max(LIMITS.survivors).optional().describe("Process ids that outlived the stop."),
  }),
  async run({ db, now, hint, scope }, { commandId, fencingToken, end, summary, result, survivors }) {
    const { startedAt, endedAt } = agentCommands;
    const mine = and(
      eq(agentCommands.id, commandId),
      eq(agentCommands.agentId, scope.principal.id),
      eq(agentCommands.fencingToken, Number(fencingToken)),
      isNull(endedAt),
    );
    // One conditional update decides. A refused command never started; of any other the report of its start may be lost.
    const changed = end
      ? await db
          .update(agentCommands)
          .set({
            endedAt: now,
            startedAt: end === "REFUSED" ? undefined : sql`coalesce(${startedAt}, ${now})`,
            ...{ end, summary, result, survivors },
          })
          .where(mine)
          .returning({ id: agentCommands.id })
      : await db
          .update(agentCommands)
          .set({ startedAt: now })
          .where(and(mine, isNull(startedAt)))
          .returning({ id: agentCommands.id });
    if (changed.length === 0) return { accepted: false };
    hint("commands");
    if (end) hint(`output:${commandId}`);
    return { accepted: true };
  },
});
