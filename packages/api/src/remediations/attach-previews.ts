import { eq, getTableColumns, isNull, sql } from "drizzle-orm";
import { agentCommands as commands } from "../agents/agent.table.js";
import type { Act } from "../kernel/command.js";
import { PREVIEW_TIMEOUT_MS } from "./limits.js";
import { type RemediationRunRow, remediationRuns as runs } from "./remediation.table.js";
import { onTimelines } from "./run-event.js";

/** Gives live runs the result of their preview, or the reason why there is none. @returns how many got one */
export async function attachPreviews(act: Act): Promise<number> {
  const previewed = await act.db
    .update(runs)
    .set({
      preview: sql`case
        when ${commands.end} = 'SUCCEEDED' and ${commands.result} is not null then ${commands.result}
        when ${commands.endedAt} is not null then ${cannot(sql`coalesce(${commands.summary}, ${commands.end})`)}
        else ${cannot(sql`'the agent did not answer in time'::text`)} end`,
    })
    .from(commands)
    .where(
      sql`${eq(commands.id, runs.previewCommandId)} and ${isNull(runs.finishedAt)} and ${isNull(runs.preview)} and (
        ${commands.endedAt} is not null
        or ${commands.startedAt} is null and ${commands.startBy} < now()
        or ${commands.startedAt} + make_interval(secs => ${(2 * PREVIEW_TIMEOUT_MS) / 1000}) < now())`,
    )
    .returning(getTableColumns(runs));
  const events = await onTimelines(
    act.db,
    previewed.map((run) => ({ run, ...told(run) })),
  );
  for (const event of events) act.emit(event);
  if (previewed.length > 0) act.hint("previews");
  return previewed.length;
}

/** An event goes to every subscriber: what an agent sends must not make it large. */
const MAX_LINES = 20;
const MAX_CHARS = 300;

const cannot = (reason: ReturnType<typeof sql>) => sql`jsonb_build_object('possible', false, 'reason', ${reason})`;

/** The preview as the plugin gave it; it came from outside, so its form is not relied upon. */
export interface PreviewSeen {
  possible: boolean;
  actions: string[];
  refusals: string[];
  reason: string;
}

export function readPreview(preview: unknown): PreviewSeen {
  const { possible, actions, refusals, reason } = (preview ?? {}) as Record<string, unknown>;
  const line = (value: unknown) => String(value).slice(0, MAX_CHARS);
  const texts = (value: unknown) => (Array.isArray(value) ? value.slice(0, MAX_LINES).map(line) : []);
  return {
    possible: possible === true,
    actions: texts(actions),
    refusals: texts(refusals),
    reason: line(reason ?? "it cannot be previewed"),
  };
}

function told(run: RemediationRunRow) {
  const preview = readPreview(run.preview);
  const { possible, actions, refusals, reason } = preview;
  const summary = !possible
    ? `cannot preview: ${reason}`
    : refusals.length > 0
      ? `preview: it would be refused: ${refusals.join("; ")}`
      : `preview: ${actions.join("; ")}`;
  return { type: "remediation.previewed", summary: summary.slice(0, 500), payload: { preview } };
}
