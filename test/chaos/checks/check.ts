import type { World } from "../world.js";

/** What a check looked at, and what it found wrong. */
export interface Finding {
  /** How much was verified, as `12000 results`. */
  verified: string;
  violations: string[];
}

/** One invariant. It believes nothing of the product: it reads the tables, and what the harness itself has recorded. */
export type Check = (world: World) => Promise<Finding>;

/** Enough of a long list to see what it is about. */
export const some = (items: readonly unknown[]): string =>
  items.length > 10 ? `${items.slice(0, 10).join(", ")} and ${items.length - 10} more` : items.join(", ");
