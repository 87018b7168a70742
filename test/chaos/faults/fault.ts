import type { Random } from "../random.js";
import type { World } from "../world.js";

export interface Plan {
  /** Whom it meets and for how long: one line for the story. */
  description: string;
  /** Does it, and mends what does not mend itself. */
  run(): Promise<void>;
}

/** One kind of fault. */
export interface Fault {
  /** How often it happens, in relation to the others. */
  weight: number;
  /** Takes minutes, which a short run has not. */
  isLong?: boolean;
  /** Draws everything it decides from `random`, so that a seed repeats it; what it meets then is another matter. */
  plan(world: World, random: Random): Plan;
}
