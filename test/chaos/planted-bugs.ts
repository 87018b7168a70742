import type { Edit } from "./rewrite.js";

export type PlantedBug = "ack before commit" | "sequence taken first" | "fencing token not checked";

/** Mistakes a hurried change could make, to prove that the checker would notice. */
export const PLANTED_BUGS: Record<PlantedBug, { edits: Edit[]; sql?: string }> = {
  "ack before commit": { edits: [] },
  "sequence taken first": { edits: [] },
  "fencing token not checked": { edits: [] },
};
