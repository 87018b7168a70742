import { codeOf } from "../graphql/format-error.js";
import type { ErrorCode } from "../kernel/app-error.js";
import type { Act } from "../kernel/command.js";
import type { Metrics } from "../kernel/metrics.js";
import type { Admitted } from "./admit.js";

/** Counts, when it is committed, what a flush wrote and what its agents gave up. */
export function countResults({ scope, afterCommit }: Act, results: number, admitted: Admitted[]): void {
  const { ingest } = scope.app.metrics;
  afterCommit(() => {
    ingest.results.inc(results);
    for (const { admission } of admitted)
      for (const { from, to, reason } of admission.gaps) ingest.lost.inc({ reason }, to - from + 1);
  });
}

/** Counts a batch by what became of it. */
export async function countBatch<Ack>({ ingest }: Metrics, report: Promise<Ack>): Promise<Ack> {
  const count = (outcome: "acknowledged" | ErrorCode) => ingest.batches.inc({ outcome });
  try {
    const ack = await report;
    count("acknowledged");
    return ack;
  } catch (error) {
    count(codeOf(error));
    throw error;
  }
}
