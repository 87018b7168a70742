/**
 * What agent and server must agree on beyond the GraphQL schema. Imports neither end.
 * `PROTOCOL.md` is the prose to this file.
 */

/** How a probe ended. `TIMEOUT` and `INTERRUPTED` say that it did not: no finding about its target. */
export const OUTCOME_STATUSES = ["OK", "WARN", "CRIT", "UNKNOWN", "NOT_APPLICABLE", "TIMEOUT", "INTERRUPTED"] as const;
export type OutcomeStatus = (typeof OUTCOME_STATUSES)[number];

/** Value and unit. Units are UCUM-like short strings: `ms`, `s`, `B`, `%`, `1` (a count), `B/s`, `h`. */
export type Metric = readonly [value: number, unit: string];
export type Metrics = Readonly<Record<string, Metric>>;

/** One outcome of one probe. `item` tells the targets of one probe apart (a container, a mount); `""` when there is one. */
export interface Result {
  probeId: string;
  item: string;
  /** When it was observed, by the agent's clock: milliseconds since 1970. */
  at: number;
  durationMs: number;
  status: OutcomeStatus;
  summary: string;
  metrics: Metrics | null;
  evidence: Readonly<Record<string, unknown>> | null;
}

/** The agent's spool dropped the results `from..to` (inclusive) and says so. */
export interface SpoolGap {
  from: number;
  to: number;
  reason: "BYTES" | "AGE" | "CORRUPT" | "DISK_FULL";
}

/** A run of results with dense sequence numbers: row `i` has `seq = from + i` within the spool's `epoch`. */
export interface ResultBatch {
  epoch: string;
  from: number;
  results: Result[];
  gaps: SpoolGap[];
}

/** The same column by column, because one object per row costs about 30 times as much to coerce. */
interface Columns<Metrics> {
  epoch: string;
  from: number;
  /** Every probe once; `probe` refers to it by its place. */
  probes: string[];
  probe: number[];
  item: string[];
  at: number[];
  ms: number[];
  /** Places in OUTCOME_STATUSES. */
  status: number[];
  summary: string[];
  metrics: (Metrics | null)[];
  evidence: (Readonly<Record<string, unknown>> | null)[];
  gaps: SpoolGap[];
}

/**
 * A batch that arrived, and was checked. It stays in columns, and its metrics in text, as the database takes them:
 * thousands of results wait for it at a time, and as objects they would be most of the collector's work.
 */
export type ReceivedBatch = Readonly<Columns<string> & { rows: number }>;

export const LIMITS = {
  batchRows: 1000,
  batchBytes: 512 * 1024,
  gapsPerBatch: 1000,
  summaryChars: 500,
  itemChars: 200,
  evidenceChars: 16 * 1024,
  metricsPerResult: 64,
  outputChunkChars: 16 * 1024,
  reportSummaryChars: 2000,
  reportResultChars: 64 * 1024,
  survivors: 1000,
  batchesInFlight: 2,
} as const;

/** What an agent proves itself with: a JWT for this audience, valid for so long. */
export const ASSERTION = { audience: "poppo-ops", seconds: 60 } as const;

/** What an agent may be called. */
export const AGENT_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?$/;

/** PostgreSQL refuses U+0000 and half surrogate pairs, and one bad row would fail everyone else in its transaction. */
export const storableText = (text: string): string => text.replace(/\0|\p{Surrogate}/gu, "\ufffd");

/** Private WebSocket close codes. graphql-ws clients treat 4400, 4401, 4409, 4429 and 4500 as fatal: none of ours is one of them. */
export const CLOSE = {
  /** The server is going down or restarting; come back after the jittered wait. */
  GOING_AWAY: 1001,
  /** A newer connection of the same agent took over. */
  SUPERSEDED: 4410,
  /** The agent was revoked or the token expired; do not come back with the same credential. */
  REVOKED: 4403,
  /** The server is full; come back later. */
  TRY_LATER: 4503,
} as const;

export class WireError extends Error {
  override name = "WireError";
}

export function encodeResultBatch(batch: ResultBatch): unknown {
  const index = new Map<string, number>();
  const columns: Columns<Metrics> & { v: 1 } = {
    v: 1,
    epoch: batch.epoch,
    from: batch.from,
    probes: [],
    probe: [],
    item: [],
    at: [],
    ms: [],
    status: [],
    summary: [],
    metrics: [],
    evidence: [],
    gaps: batch.gaps,
  };
  for (const result of batch.results) {
    let probe = index.get(result.probeId);
    if (probe === undefined) {
      probe = columns.probes.push(result.probeId) - 1;
      index.set(result.probeId, probe);
    }
    columns.probe.push(probe);
    columns.item.push(result.item);
    columns.at.push(result.at);
    columns.ms.push(result.durationMs);
    columns.status.push(OUTCOME_STATUSES.indexOf(result.status));
    columns.summary.push(result.summary);
    columns.metrics.push(result.metrics);
    columns.evidence.push(result.evidence);
  }
  return columns;
}

/**
 * Reads a batch that came from outside, and takes it over: its columns become the batch's.
 * @throws {WireError} naming the column, the row and the value that is wrong
 */
export function decodeResultBatch(value: unknown): ReceivedBatch {
  const batch = record(value, "batch");
  if (batch.v !== 1) throw new WireError(`batch.v is ${show(batch.v)}; this server speaks version 1`);
  const epoch = uuid(batch.epoch, "batch.epoch");
  const from = count(batch.from, "batch.from");
  const probes = list(batch.probes, "batch.probes").map((id, i) => uuid(id, `batch.probes[${i}]`));
  const rows = list(batch.probe, "batch.probe").length;
  if (rows > LIMITS.batchRows) throw new WireError(`batch has ${rows} rows; the limit is ${LIMITS.batchRows}`);
  const gaps = list(batch.gaps, "batch.gaps");
  if (gaps.length > LIMITS.gapsPerBatch)
    throw new WireError(`batch has ${gaps.length} gaps; the limit is ${LIMITS.gapsPerBatch}`);
  const column = <T>(name: string, isRight: (value: unknown) => boolean, wanted: string): T[] => {
    const values = list(batch[name], `batch.${name}`);
    if (values.length !== rows)
      throw new WireError(
        `batch.${name} has ${values.length} values; batch.probe has ${rows}: columns must be as long`,
      );
    const wrong = values.findIndex((value) => !isRight(value));
    if (wrong >= 0) fail(name, wrong, values[wrong], wanted);
    return values as T[];
  };
  return {
    epoch,
    from,
    rows,
    probes,
    probe: column("probe", isIndexOf(probes), "an index into batch.probes"),
    item: column(
      "item",
      isText(LIMITS.itemChars),
      `a string of at most ${LIMITS.itemChars} whole characters without NUL`,
    ),
    at: column("at", isTime, "milliseconds since 1970"),
    ms: column("ms", isTime, "milliseconds"),
    status: column("status", isIndexOf(OUTCOME_STATUSES), "an index into OUTCOME_STATUSES"),
    summary: column(
      "summary",
      isText(LIMITS.summaryChars),
      `a string of at most ${LIMITS.summaryChars} whole characters without NUL`,
    ),
    metrics: inPlace(column("metrics", anything, ""), metricsText),
    evidence: column<unknown>("evidence", anything, "").map(decodeEvidence),
    gaps: gaps.map(decodeGap),
  };
}

/** Whoever still holds what arrived (its operation does, to its end) does not hold the objects any more. */
function inPlace<To>(values: unknown[], decode: (value: unknown, row: number) => To): To[] {
  for (let row = 0; row < values.length; row++) values[row] = decode(values[row], row);
  return values as To[];
}

/** A row as its agent had it. */
export function resultAt(batch: ReceivedBatch, row: number): Result {
  const metrics = batch.metrics[row]!;
  return {
    probeId: batch.probes[batch.probe[row]!]!,
    item: batch.item[row]!,
    at: batch.at[row]!,
    durationMs: batch.ms[row]!,
    status: OUTCOME_STATUSES[batch.status[row]!]!,
    summary: batch.summary[row]!,
    metrics: metrics && JSON.parse(metrics),
    evidence: batch.evidence[row]!,
  };
}

/** @returns JSON */
function metricsText(value: unknown, row: number): string | null {
  if (value === null) return null;
  const metrics = record(value, `batch.metrics[${row}]`);
  let size = 0;
  for (const name in metrics) {
    const metric = metrics[name];
    if (!isMetric(metric) || !isMetricName(name))
      fail("metrics", row, { [name]: metric }, "name → [finite number, unit]");
    if (++size > LIMITS.metricsPerResult) fail("metrics", row, size, `at most ${LIMITS.metricsPerResult} metrics`);
  }
  return JSON.stringify(metrics);
}

const isMetric = (value: unknown): boolean =>
  Array.isArray(value) && value.length === 2 && Number.isFinite(value[0]) && isUnit(value[1]);

function decodeEvidence(value: unknown, row: number): Readonly<Record<string, unknown>> | null {
  if (value === null) return null;
  const evidence = record(value, `batch.evidence[${row}]`);
  const { length } = JSON.stringify(evidence);
  if (length > LIMITS.evidenceChars)
    fail("evidence", row, `${length} characters`, `at most ${LIMITS.evidenceChars} characters of JSON`);
  if (!isStorable(evidence)) fail("evidence", row, evidence, "free of U+0000 and of half characters");
  return evidence;
}

/**
 * PostgreSQL's jsonb refuses NUL and half characters, and on the way to a text column all halves become the same character,
 * so that two items may become one: one bad row must not fail the transaction of every other agent.
 */
function isStorable(value: unknown): boolean {
  if (typeof value === "string") return !value.includes("\u0000") && value.isWellFormed();
  if (typeof value !== "object" || value === null) return true;
  return Object.entries(value).every(([key, inner]) => isStorable(key) && isStorable(inner));
}

function decodeGap(value: unknown, i: number): SpoolGap {
  const gap = record(value, `batch.gaps[${i}]`);
  const from = count(gap.from, `batch.gaps[${i}].from`);
  const to = count(gap.to, `batch.gaps[${i}].to`);
  if (to < from) throw new WireError(`batch.gaps[${i}] ends (${to}) before it begins (${from})`);
  const reason = gap.reason;
  if (reason !== "BYTES" && reason !== "AGE" && reason !== "CORRUPT" && reason !== "DISK_FULL")
    throw new WireError(`batch.gaps[${i}].reason is ${show(reason)}; allowed are BYTES, AGE, CORRUPT, DISK_FULL`);
  return { from, to, reason };
}

/** A piece of a run's output. `offset` counts bytes of the stream before it; `seq` is dense within the run. */
export interface OutputChunk {
  seq: number;
  stream: "stdout" | "stderr" | "system";
  offset: number;
  text: string;
}

export interface OutputBatch {
  commandId: string;
  chunks: OutputChunk[];
}

/** @throws {WireError} naming the field and the value that is wrong */
export function decodeOutputBatch(value: unknown): OutputBatch {
  const batch = record(value, "output");
  const commandId = uuid(batch.commandId, "output.commandId");
  const chunks = list(batch.chunks, "output.chunks").map((raw, i): OutputChunk => {
    const chunk = record(raw, `output.chunks[${i}]`);
    const { stream } = chunk;
    if (stream !== "stdout" && stream !== "stderr" && stream !== "system")
      throw new WireError(`output.chunks[${i}].stream is ${show(stream)}; allowed are stdout, stderr, system`);
    return {
      seq: count(chunk.seq, `output.chunks[${i}].seq`),
      stream,
      offset: count(chunk.offset, `output.chunks[${i}].offset`),
      text: isChunk(chunk.text) ? (chunk.text as string) : fail("text", i, "output", "a string within the chunk limit"),
    };
  });
  if (chunks.length > 256) throw new WireError(`output has ${chunks.length} chunks; the limit is 256`);
  return { commandId, chunks };
}

/** What a command tells the agent to do. The server signs the exact JSON text of this object (Ed25519). */
export interface CommandPayload {
  v: 1;
  id: string;
  agentId: string;
  kind: "RUN_PROBE" | "PREVIEW" | "REMEDIATE" | "CANCEL";
  /**
   * Grows with every claim of the same target; an agent refuses a token below the highest it has seen for the target.
   * CANCEL: that of the command to stop, whose end the agent reports with it if it has never seen the command.
   */
  fencingToken: number;
  issuedAt: string;
  /** The command is refused once this moment has passed before it started. */
  startBy: string;
  /** RUN_PROBE: the assigned probe to run now. REMEDIATE: the probe that verifies, watched every `everyMs` until `forMs` passed. */
  probeId?: string;
  /** PREVIEW and REMEDIATE: `<plugin>.<remediation>` and its validated input. */
  remediation?: string;
  input?: unknown;
  /** The locked target, for example `docker/web`. */
  target?: string;
  timeoutMs?: number;
  verify?: { probeId: string; everyMs: number; forMs: number };
  /** CANCEL: the command to stop. */
  cancels?: string;
}

/** How a command ended. Exactly one of these is ever recorded for a command. */
export const COMMAND_ENDS = ["SUCCEEDED", "FAILED", "CANCELLED", "REFUSED", "TIMED_OUT", "INTERRUPTED"] as const;
export type CommandEnd = (typeof COMMAND_ENDS)[number];

/** Extras the acknowledgement of a batch carries. */
export interface BatchAck {
  ackedSeq: number;
  window: number;
  retryAfterMs: number;
}

function record(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new WireError(`${name} is ${show(value)}, not an object`);
  return value as Record<string, unknown>;
}

function list(value: unknown, name: string): unknown[] {
  if (!Array.isArray(value)) throw new WireError(`${name} is ${show(value)}, not a list`);
  return value;
}

function uuid(value: unknown, name: string): string {
  if (typeof value !== "string" || !/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(value))
    throw new WireError(`${name} is ${show(value)}, not a lower-case UUID`);
  return value;
}

function count(value: unknown, name: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw new WireError(`${name} is ${show(value)}, not a whole number of 0 or more`);
  return value as number;
}

const anything = (): boolean => true;

const isIndexOf =
  ({ length }: readonly unknown[]) =>
  (value: unknown): boolean =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) < length;

const isText =
  (limit: number) =>
  (value: unknown): boolean =>
    typeof value === "string" && value.length <= limit && isStorable(value);
const isUnit = isText(16);
const isMetricName = isText(200);
const isChunk = isText(LIMITS.outputChunkChars);

/** Year 2200 as the upper bound keeps every value inside PostgreSQL's timestamptz and JavaScript's Date. */
const isTime = (value: unknown): boolean => typeof value === "number" && value >= 0 && value < 7_258_118_400_000;

function fail(name: string, row: number, value: unknown, wanted: string): never {
  throw new WireError(`batch.${name}[${row}] is ${show(value)}, not ${wanted}`);
}

const show = (value: unknown): string => (JSON.stringify(value) ?? String(value)).slice(0, 80);
