import type { Module } from "../engine/engine.js";
import { type App, systemScope } from "../kernel/app.js";
import { act } from "../kernel/command.js";

/** So long after it had to start, no command but a remediation still runs, and nobody waits for its answer. */
const ANSWER_WITHIN_MS = 3_600_000;

/**
 * A command that nobody answers ends, so that those who look for open ones need not look through it for ever. Not a
 * remediation: what became of that its agent may say days later, and its run tells.
 */
export const expireCommands = (app: App, everyMs: number): Module => ({
  name: "expire commands that nobody answers",
  batch: Number.POSITIVE_INFINITY,
  everyMs,
  step: () =>
    act(systemScope(app, "agents"), async ({ client }) => {
      const { rowCount } = await client.query(
        `UPDATE agent_commands SET ended_at = now(), "end" = 'EXPIRED'
         WHERE ended_at IS NULL AND kind <> 'REMEDIATE' AND start_by < now() - make_interval(secs => $1)`,
        [ANSWER_WITHIN_MS / 1000],
      );
      return rowCount!;
    }),
});
