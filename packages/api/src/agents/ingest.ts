import { type BatchAck, decodeResultBatch, LIMITS, type ReceivedBatch, WireError } from "@poppo-ops/plugins/wire";
import type { Context } from "../graphql/context.js";
import { type App, systemScope } from "../kernel/app.js";
import { AppError } from "../kernel/app-error.js";
import { type Act, act } from "../kernel/command.js";
import { Gather } from "../kernel/gather.js";
import { timed } from "../kernel/metrics.js";
import { type Admitted, admit, type Incoming } from "./admit.js";
import { applySignals } from "./apply-signals.js";
import { Evaluations } from "./evaluations.js";
import { countResults } from "./ingest.metrics.js";
import { insertGaps, insertResults, loadStates, lockMarks, marksOf, saveStates } from "./ingest.store.js";
import type { ProbeCatalogue } from "./probe-catalogue.js";
import type { Sessions } from "./sessions.js";

/** Rows of one transaction, and gaps. */
const FLUSH_ROWS = 4000;
/** Waiting rows from which agents are asked to slow down, and from which they are sent away. */
const BUSY_ROWS = 20_000;
const FULL_ROWS = 100_000;
/** What waiting batches may take in memory, with evidence, of which sixty rows may be a megabyte, and with gaps. */
const FULL_BYTES = 64 * 1024 * 1024;
const BUSY_WAIT_MS = 500;

/**
 * The way of results into the database. The batches of all agents that come together are one flush, and one transaction:
 * what is new is decided by the marks of the locked rows, history is one insert, state machines move, incidents are raised
 * and resolved, and the events come last. A batch is acknowledged after the commit; one that is refused hurts no other.
 */
export class Ingest {
  private readonly queue: Gather<Incoming, number>;
  private waitingRows = 0;
  private waitingBytes = 0;

  constructor(
    private readonly app: App,
    private readonly sessions: Sessions,
    private readonly catalogue: ProbeCatalogue,
  ) {
    this.queue = new Gather(
      (batches) => timed(app.metrics.ingest.flush, () => this.flush(batches)),
      FLUSH_ROWS,
      ({ batch: { rows, gaps } }) => rows + gaps.length + 1,
    );
  }

  /**
   * @returns when what was acknowledged is committed
   * @throws {AppError} BAD_BATCH, OUT_OF_ORDER, SUPERSEDED, TOO_MANY_REQUESTS
   */
  async report({ connection }: Context, raw: unknown): Promise<BatchAck> {
    const session = connection && this.sessions.of(connection);
    if (!session) throw notNewest();
    const batch = decode(raw);
    const { rows } = batch;
    const bytes = bytesOf(batch);
    if (this.waitingRows + rows > FULL_ROWS || this.waitingBytes + bytes > FULL_BYTES)
      throw new AppError("TOO_MANY_REQUESTS", `${this.waitingRows} results wait for the database; try again later.`, {
        retryAfterMs: BUSY_WAIT_MS * 4,
      });
    this.waitingRows += rows;
    this.waitingBytes += bytes;
    try {
      const ackedSeq = await this.queue.add({ session, batch });
      const busy = this.waitingRows > BUSY_ROWS;
      return { ackedSeq, window: busy ? 1 : LIMITS.batchesInFlight, retryAfterMs: busy ? BUSY_WAIT_MS : 0 };
    } finally {
      this.waitingRows -= rows;
      this.waitingBytes -= bytes;
    }
  }

  /** Results received that are not committed yet. */
  get waiting(): number {
    return this.waitingRows;
  }

  async stop(): Promise<void> {
    await this.queue.idle();
  }

  private async flush(batches: Incoming[]): Promise<(number | Error)[]> {
    const evaluations = new Evaluations(this.catalogue);
    try {
      await this.learnProbes(batches);
      const outcomes = await act(
        systemScope(this.app, "probes"),
        (tools) => this.write(tools, batches, evaluations),
        lockMarks(agentIdsOf(batches)),
      );
      evaluations.commit();
      return outcomes;
    } catch (error) {
      // Whether it was committed may be unknown: what is in memory is trusted no more.
      for (const { session } of batches) session.states.forget();
      throw error;
    }
  }

  /** The transaction may run again after a deadlock, so it begins by forgetting what it did before. */
  private async write(tools: Act, batches: Incoming[], evaluations: Evaluations): Promise<(number | Error)[]> {
    evaluations.reset();
    const { outcomes, admitted } = admitAll(batches, marksOf(tools));
    const unread = [...new Set(admitted.map(({ session }) => session))].filter((session) => !session.states.loaded);
    if (unread.length > 0) await loadStates(tools, unread);
    evaluations.evaluate(admitted, tools.now.getTime());
    const saved = saveStates(tools, evaluations.due);
    insertResults(tools, evaluations.columns, admitted);
    insertGaps(tools, admitted);
    await applySignals(tools, evaluations.written(await saved));
    countResults(tools, evaluations.columns.seq.length, admitted);
    return outcomes;
  }

  private async learnProbes(batches: Incoming[]): Promise<void> {
    const isUnknown = batches.some(({ batch }) => batch.probes.some((id) => !this.catalogue.get(id)));
    if (isUnknown) await this.catalogue.refresh();
  }
}

/** Numbers and references of a row, and a gap. */
const ROW_BYTES = 100;

/** About how much memory a batch takes while it waits. */
function bytesOf({ rows, probes, item, summary, metrics, evidence, gaps }: ReceivedBatch): number {
  let bytes = (rows + probes.length + gaps.length) * ROW_BYTES;
  for (let row = 0; row < rows; row++) {
    bytes += item[row]!.length + summary[row]!.length + (metrics[row]?.length ?? 0);
    if (evidence[row]) bytes += JSON.stringify(evidence[row]).length;
  }
  return bytes;
}

/** One after the other, because the second batch of an agent begins where its first one ends. */
function admitAll(batches: Incoming[], marks: ReturnType<typeof marksOf>) {
  const admitted: Admitted[] = [];
  const outcomes = batches.map(({ session, batch }) => {
    const mark = marks.get(session.agentId);
    if (mark?.sessionId !== session.id) return notNewest();
    try {
      const admission = admit(mark, batch);
      Object.assign(mark, admission.mark);
      admitted.push({ session, batch, admission });
      return admission.mark.acked;
    } catch (error) {
      return error as AppError;
    }
  });
  return { outcomes, admitted };
}

const agentIdsOf = (batches: Incoming[]): string[] => [...new Set(batches.map(({ session }) => session.agentId))];

const notNewest = () =>
  new AppError(
    "SUPERSEDED",
    "This connection does not hold the agent's newest session: subscribe to agentSession first.",
  );

function decode(raw: unknown): ReceivedBatch {
  try {
    return decodeResultBatch(raw);
  } catch (error) {
    if (error instanceof WireError) throw new AppError("BAD_BATCH", error.message);
    throw error;
  }
}
