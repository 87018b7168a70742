import { didYouMean } from "@poppo-ops/plugins";

/** Says that there is no such kind, which one was meant, and which there are. */
export function unknownKind(what: "probe" | "remediation", kind: string, known: string[]): string {
  const hint = didYouMean(kind, known);
  return `There is no ${what} "${kind}"${hint ? `${hint} There` : "; there"} are ${known.join(", ")}.`;
}
