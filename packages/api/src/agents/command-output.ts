import { decodeOutputBatch, type OutputBatch, type OutputChunk, WireError } from "@poppo-ops/plugins/wire";
import { and, asc, eq, gt } from "drizzle-orm";
import type { Db } from "../db/database.js";
import type { Scope } from "../kernel/app.js";
import { AppError } from "../kernel/app-error.js";
import { act } from "../kernel/command.js";
import { commandOutput } from "./agent.table.js";

/** What is kept of one command's output. The agent caps it too (head and tail); this bounds an agent that does not. */
const MAX_BYTES = 1024 * 1024;

/**
 * Stores output of a command. A chunk that is there already changes nothing; what exceeds 1 MiB is acknowledged and dropped.
 * @returns the last sequence number of the batch
 * @throws {AppError} BAD_BATCH; NOT_FOUND when the command is not this agent's
 */
export async function reportOutput(scope: Scope, batch: unknown): Promise<{ seq: number }> {
  const { commandId, chunks } = decode(batch);
  await act(scope, async ({ client, hint }) => {
    // The lock lets reports of one command follow each other, so that the bound holds.
    const { rows } = await client.query<{ bytes: string }>(
      `SELECT (SELECT coalesce(sum(octet_length(o.text)), 0) FROM command_output o WHERE o.command_id = c.id) AS bytes
       FROM agent_commands c WHERE c.id = $1 AND c.agent_id = $2 FOR UPDATE OF c`,
      [commandId, scope.principal.id],
    );
    if (!rows[0]) throw new AppError("NOT_FOUND", `There is no command ${commandId} for ${scope.principal.name}.`);
    const kept = fitting(chunks, MAX_BYTES - Number(rows[0].bytes));
    const { rowCount } = await client.query(
      `INSERT INTO command_output (command_id, seq, stream, "offset", text)
       SELECT $1, * FROM unnest($2::bigint[], $3::text[], $4::bigint[], $5::text[]) ON CONFLICT DO NOTHING`,
      [commandId, ...columns(kept)],
    );
    if (rowCount) hint(`output:${commandId}`);
  });
  return { seq: chunks.at(-1)?.seq ?? 0 };
}

/** Output of a command after `afterSeq` (-1: from the beginning), in order. */
export function readOutput(db: Db, commandId: string, afterSeq: number, limit: number): Promise<OutputChunk[]> {
  const { seq, stream, offset, text } = commandOutput;
  return db
    .select({ seq, stream, offset, text })
    .from(commandOutput)
    .where(and(eq(commandOutput.commandId, commandId), gt(seq, afterSeq)))
    .orderBy(asc(seq))
    .limit(limit);
}

function decode(batch: unknown): OutputBatch {
  try {
    return decodeOutputBatch(batch);
  } catch (error) {
    if (error instanceof WireError) throw new AppError("BAD_BATCH", error.message);
    throw error;
  }
}

function fitting(chunks: OutputChunk[], room: number): OutputChunk[] {
  return chunks.filter(({ text }) => {
    room -= Buffer.byteLength(text);
    return room >= 0;
  });
}

const columns = (chunks: OutputChunk[]) => [
  chunks.map((c) => c.seq),
  chunks.map((c) => c.stream),
  chunks.map((c) => c.offset),
  chunks.map((c) => c.text),
];
