import { LIMITS } from "@poppo-ops/plugins/wire";
import { clip, clipJson } from "../clip.js";
import type { Report } from "./reporter.js";

/** Brings what a plugin, a program or the system said within what the server takes: a report it refuses ends nothing. */
export const limitReport = ({ summary, result, survivors, ...report }: Report): Report => ({
  ...report,
  ...(summary !== undefined && { summary: clip(summary, LIMITS.reportSummaryChars) }),
  ...(result !== undefined && { result: clipJson(result, LIMITS.reportResultChars) }),
  ...(survivors && { survivors: survivors.slice(0, LIMITS.survivors) }),
});
