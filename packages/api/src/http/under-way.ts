import { LIMITS } from "../graphql/limits.js";
import { AppError } from "../kernel/app-error.js";
import type { Principal } from "../kernel/permissions.js";

/**
 * The requests, queries and mutations that each identity has under way on this replica, whichever transport they came by.
 * Subscriptions do not count: they are meant to last.
 */
export class UnderWay {
  private readonly counts = new Map<string, number>();

  /**
   * @param address tells callers without an identity apart
   * @returns to be called once, when it has ended
   * @throws {AppError} TOO_MANY_REQUESTS
   */
  begin(principal: Principal, address?: string): () => void {
    const isAnonymous = principal.kind === "anonymous";
    const key = isAnonymous ? `anonymous ${address}` : principal.id;
    const limit = isAnonymous ? LIMITS.operationsPerAddress : LIMITS.operationsPerPrincipal;
    const count = (this.counts.get(key) ?? 0) + 1;
    if (count > limit)
      throw new AppError("TOO_MANY_REQUESTS", `${principal.name} has ${limit} operations under way; wait for some.`, {
        retryAfterMs: 1000,
      });
    this.counts.set(key, count);
    return () => {
      const left = this.counts.get(key)! - 1;
      if (left > 0) this.counts.set(key, left);
      else this.counts.delete(key);
    };
  }
}
