import type { Fault, Plan } from "./faults/fault.js";
import { hostFaults } from "./faults/host-faults.js";
import { networkFaults } from "./faults/network-faults.js";
import { pressureFaults } from "./faults/pressure-faults.js";
import { processFaults } from "./faults/process-faults.js";
import type { Random } from "./random.js";
import type { World } from "./world.js";

const FAULTS: Record<string, Fault> = { ...processFaults, ...networkFaults, ...hostFaults, ...pressureFaults };

/** The kinds of faults for a run of this length, on this machine. */
export const faultKinds = ({ long }: { long: boolean }): string[] =>
  Object.keys(FAULTS).filter((kind) => FAULTS[kind]!.weight > 0 && (long || !FAULTS[kind]!.isLong));

/** Decides what happens next. Draws the same from `random` whatever the world is like just now. */
export function planFault(world: World, random: Random, kinds: readonly string[]): Plan & { kind: string } {
  const lots = kinds.flatMap((kind) => new Array<string>(FAULTS[kind]!.weight).fill(kind));
  const kind = random.pick(lots);
  return { kind, ...FAULTS[kind]!.plan(world, random) };
}
