import { LIMITS } from "../graphql/limits.js";
import { AppError } from "../kernel/app-error.js";

/**
 * The operations of one socket that have not ended, also those that the client has completed. graphql-ws's core knows an
 * operation by its id alone, and only until it is completed: an id used again before would be taken by the first operation
 * for its own, and one of the two could be stopped by nobody.
 */
export class RunningOperations {
  private readonly ids = new Set<string>();
  private begun?: { id: string; whenEnded?: () => void };

  /** @throws {AppError} CONFLICT, TOO_MANY_REQUESTS */
  begin(id: string): void {
    if (this.ids.has(id))
      throw new AppError("CONFLICT", `The operation with the id "${id}" is still ending; use another id.`);
    if (this.ids.size >= LIMITS.operationsPerSocket)
      throw new AppError(
        "TOO_MANY_REQUESTS",
        `This socket has ${LIMITS.operationsPerSocket} operations under way; complete some first.`,
        { retryAfterMs: 1000 },
      );
    this.ids.add(id);
    this.begun = { id };
  }

  /** What to do when the operation that was just begun has ended. */
  whenEnded(release: () => void): void {
    this.begun!.whenEnded = release;
  }

  /** Handles a message: the core calls `begin` (and `whenEnded`) at once, and is done when the operation has ended. */
  async during(handle: () => Promise<void>): Promise<void> {
    const handled = handle();
    const { begun } = this;
    this.begun = undefined;
    try {
      await handled;
    } finally {
      if (begun) this.ids.delete(begun.id);
      begun?.whenEnded?.();
    }
  }
}
