import type { CommandPayload } from "@poppo-ops/plugins/wire";
import type { Act } from "../kernel/command.js";
import { newId } from "../kernel/ids.js";
import { type AgentCommandRow, agentCommands } from "./agent.table.js";
import { signingKey } from "./signing-key.js";

type Details = Partial<Omit<CommandPayload, "v" | "id" | "agentId" | "kind" | "fencingToken" | "issuedAt" | "startBy">>;

export interface NewCommand extends Details {
  agentId: string;
  kind: CommandPayload["kind"];
  /** Grows with every claim of the same target; 0 where nothing is locked. */
  fencingToken?: number;
  /** The agent refuses the command once this long has passed before it started. */
  startWithinMs: number;
}

/** Tells an agent to do something: signed, stored, and delivered by the agent's session, on whichever replica it is. */
export async function issueCommand(act: Act, command: NewCommand): Promise<AgentCommandRow> {
  const { agentId, kind, fencingToken = 0, startWithinMs, ...details } = command;
  const id = newId();
  const startBy = new Date(act.now.getTime() + startWithinMs);
  const payload: CommandPayload = {
    v: 1,
    id,
    agentId,
    kind,
    fencingToken,
    issuedAt: act.now.toISOString(),
    startBy: startBy.toISOString(),
    ...details,
  };
  const text = JSON.stringify(payload);
  const key = await signingKey(act.scope.app);
  const [row] = await act.db
    .insert(agentCommands)
    .values({ id, agentId, kind, payload: text, signature: key.sign(text), fencingToken, startBy, createdAt: act.now })
    .returning();
  act.hint(`agent:${agentId}`);
  return row!;
}
