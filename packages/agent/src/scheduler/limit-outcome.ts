import type { Outcome } from "@poppo-ops/plugins";
import { LIMITS, type Metrics, OUTCOME_STATUSES, type Result } from "@poppo-ops/plugins/wire";
import { clip, clipJson } from "../clip.js";

const ITEMS_PER_RUN = 500;

type Observation = Omit<Result, "probeId" | "at" | "durationMs">;

/**
 * Brings what a plugin returned within what the server takes: a plugin may flood, return nonsense, or put characters
 * in that PostgreSQL's jsonb cannot hold. Cuts are marked.
 */
export function limitOutcomes(returned: unknown): Observation[] {
  const outcomes = Array.isArray(returned) ? returned : [returned];
  const kept = outcomes.slice(0, ITEMS_PER_RUN).map(limitOutcome);
  if (outcomes.length > ITEMS_PER_RUN)
    kept[ITEMS_PER_RUN - 1] = observation(
      "UNKNOWN",
      `${outcomes.length} items; only the first ${ITEMS_PER_RUN - 1} are reported`,
      "…",
    );
  return kept;
}

export const observation = (status: Result["status"], summary: string, item = ""): Observation => ({
  item,
  status,
  summary: clip(summary, LIMITS.summaryChars),
  metrics: null,
  evidence: null,
});

function limitOutcome(value: unknown): Observation {
  const outcome = (value ?? {}) as Partial<Outcome>;
  if (!OUTCOME_STATUSES.includes(outcome.status as Result["status"]))
    return observation("UNKNOWN", `the plugin returned no outcome but ${JSON.stringify(value) ?? String(value)}`);
  return {
    item: clip(String(outcome.item ?? ""), LIMITS.itemChars),
    status: outcome.status as Result["status"],
    summary: clip(String(outcome.summary ?? ""), LIMITS.summaryChars),
    metrics: limitMetrics(outcome.metrics),
    evidence: limitEvidence(outcome.evidence),
  };
}

/** Without a number there is no metric: none is invented for NaN or infinity. */
function limitMetrics(metrics: Metrics | undefined): Metrics | null {
  const kept = Object.entries(metrics ?? {})
    .filter(([, metric]) => Array.isArray(metric) && Number.isFinite(metric[0]))
    .slice(0, LIMITS.metricsPerResult)
    .map(([name, [value, unit]]) => [clip(name, 200), [value, clip(String(unit ?? ""), 16)] as const]);
  return kept.length > 0 ? Object.fromEntries(kept) : null;
}

const limitEvidence = (evidence: Outcome["evidence"]): Result["evidence"] =>
  evidence === undefined || evidence === null ? null : (clipJson(evidence, LIMITS.evidenceChars) as Result["evidence"]);
