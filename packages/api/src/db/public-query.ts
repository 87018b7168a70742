import type { App } from "../kernel/app.js";
import { AppError, ERROR_CODES } from "../kernel/app-error.js";

const ANSWER_MS = 2_000;

/**
 * A question to the database that anybody may cause without a token. Who asks while it is under way shares its answer, so
 * that a flood takes one connection of the pool; and nobody waits longer than 2 s for a database that hangs.
 * @throws {AppError} UNAVAILABLE after 2 s; and whatever `ask` throws
 */
export function publicQuery<Answer extends object>(
  { clock }: Pick<App, "clock">,
  ask: () => Promise<Answer>,
): () => Promise<Answer> {
  let underWay: Promise<Answer> | null = null;
  return async () => {
    underWay ??= ask().finally(() => {
      underWay = null;
    });
    const answered = new AbortController();
    try {
      const tooLate = clock.sleep(ANSWER_MS, answered.signal).then(() => null);
      const answer = await Promise.race([underWay, tooLate]);
      if (!answer) throw new AppError("UNAVAILABLE", ERROR_CODES.UNAVAILABLE.meaning);
      return answer;
    } finally {
      answered.abort("answered");
    }
  };
}
