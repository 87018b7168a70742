import { z } from "zod";

/**
 * When outcomes of a probe become a signal, and when the signal is over. Stored with the probe.
 *
 * SOFT → HARD: a status holds only after `attempts` outcomes in a row and, when given, after it lasted `forMs`.
 * Recovery needs `recoveries` good outcomes in a row (hysteresis). `flapping.high` changes within the last 20
 * outcomes hold back recoveries until there are `flapping.low` or fewer. A WARN raises only when `raiseOn` names it.
 */
export const signalRules = z.strictObject({
  attempts: z.int().min(1).max(100).default(3).describe("Outcomes in a row before a problem is believed"),
  forMs: z.int().min(0).max(86_400_000).default(0).describe("Milliseconds a problem must last before it is believed"),
  recoveries: z.int().min(1).max(100).default(2).describe("Good outcomes in a row before a problem is over"),
  flapping: z
    .strictObject({
      high: z.int().min(2).max(20).default(8).describe("Changes within the last 20 outcomes that begin flapping"),
      low: z.int().min(1).max(20).default(4).describe("Changes within the last 20 outcomes that end it"),
    })
    .prefault({}),
  raiseOn: z
    .array(z.enum(["WARN", "CRIT", "UNKNOWN", "TIMEOUT"]))
    .default(["CRIT", "TIMEOUT"])
    .describe("Statuses that raise an incident"),
  missing: z.boolean().default(true).describe("A probe that stops reporting is a signal too"),
});
export type SignalRules = z.output<typeof signalRules>;
