import type { Result } from "@poppo-ops/plugins/wire";

const PROBE = "11111111-1111-4111-8111-111111111111";

/** A result whose summary tells it apart. */
export const resultNamed = (summary: string, evidence: Result["evidence"] = null): Result => ({
  probeId: PROBE,
  item: "",
  at: 1_800_000_000_000,
  durationMs: 1,
  status: "OK",
  summary,
  metrics: null,
  evidence,
});
