import type { z } from "zod";
import type { Statement, Transaction } from "../db/database.js";
import type { Scope } from "./app.js";
import { AppError } from "./app-error.js";
import type { Appended, AppendedEvent } from "./appended.js";
import type { Metrics } from "./metrics.js";
import { authorise, type Permission } from "./permissions.js";
import { storableJson } from "./storable.js";
import type { Severity } from "./vocabulary.js";
import { wordIssue } from "./word-issue.js";

export interface NewEvent {
  /** `<noun>.<past verb>`: `incident.acknowledged`. */
  type: string;
  /** One line for a person. */
  summary: string;
  incidentId?: string | null;
  serviceId?: string | null;
  severity?: Severity | null;
  payload?: Record<string, unknown>;
}

export interface Act extends Transaction {
  scope: Scope;
  /** Numbered when the transaction commits, in the order of these calls. */
  emit(event: NewEvent): void;
  /** Told to every replica after the commit. */
  hint(topic: string): void;
  /** Called once the transaction is committed; what an attempt that was rolled back asked for is forgotten. */
  afterCommit(then: () => void): void;
}

/**
 * One transaction with its events: runs, appends the events as the last statement, commits, then hints.
 * Everything that changes state goes through here.
 * @param opening the first statement, when it depends on nothing; its answer is `opened`
 */
export async function act<Output>(
  scope: Scope,
  run: (act: Act) => Promise<Output>,
  opening?: Statement,
): Promise<Output> {
  const { database, hints, appended, metrics } = scope.app;
  const { output, topics, thens, log } = await database.transaction((tx) => runIn(tx, scope, run), { opening });
  if (log) tell(appended, metrics, await log());
  for (const topic of topics) hints.publish(topic);
  for (const then of thens) then();
  return output;
}

async function runIn<Output>(tx: Transaction, scope: Scope, run: (act: Act) => Promise<Output>) {
  const emitted: NewEvent[] = [];
  const topics = new Set<string>();
  const thens: (() => void)[] = [];
  const output = await run({
    ...tx,
    scope,
    emit: (event) => emitted.push(event),
    hint: (topic) => topics.add(topic),
    afterCommit: (then) => thens.push(then),
  });
  if (emitted.length === 0) return { output, topics, thens };
  topics.add("events");
  for (const { type } of emitted) topics.add(type);
  // Last, and together with COMMIT: the row it locks is everybody's, and held for no round trip.
  return { output, topics, thens, log: append(tx, scope.principal.name, emitted) };
}

function tell(appended: Appended, { events: { appended: counter } }: Metrics, events: AppendedEvent[]): void {
  appended.publish(events);
  for (const { type } of events) counter.inc({ type });
}

/** @returns what was appended, to be asked for when it is committed */
function append({ send, now }: Transaction, actor: string, emitted: NewEvent[]): () => Promise<AppendedEvent[]> {
  const text = storableJson(emitted.map((event) => ({ ...event, actor, at: now.getTime() })));
  const answer = send({ ...APPEND, values: [text] });
  const nothing = { incidentId: null, serviceId: null, severity: null, payload: {} };
  return async () => {
    const first = Number((await answer).rows[0].head) - emitted.length + 1;
    const events: (NewEvent & { actor: string })[] = JSON.parse(text);
    return events.map((event, i) => ({ ...nothing, ...event, seq: first + i, at: now }));
  };
}

const APPEND = { name: "append_events", text: "SELECT append_events($1) AS head" };

export interface Command<Input extends z.ZodObject, Output> {
  (scope: Scope, input: z.input<Input>): Promise<Output>;
  permission: Permission;
  input: Input;
}

/**
 * A write: authorise, parse, one transaction with its events, hint.
 * @throws {AppError} UNAUTHENTICATED, FORBIDDEN, BAD_INPUT, and what `run` refuses with
 */
export function command<Input extends z.ZodObject, Output>(definition: {
  permission: Permission;
  input: Input;
  /** The first statement, when it depends on the input alone: it shares the round trip of BEGIN, and is answered in `opened`. */
  opening?(scope: Scope, input: z.output<Input>): Statement;
  run(act: Act, input: z.output<Input>): Promise<Output>;
}): Command<Input, Output> {
  const { permission, input, opening, run } = definition;
  const perform = async (scope: Scope, raw: z.input<Input>): Promise<Output> => {
    authorise(scope.principal, permission);
    const parsed = parseInput(input, raw);
    return act(scope, (tools) => run(tools, parsed), opening?.(scope, parsed));
  };
  return Object.assign(perform, { permission, input });
}

/** @throws {AppError} BAD_INPUT with `details.fields`: every field that is wrong, with its reason */
export function parseInput<Input extends z.ZodObject>(schema: Input, raw: unknown): z.output<Input> {
  const given = dropAbsent(schema, raw as Record<string, unknown>);
  const unstorable = Object.entries(given).flatMap(([field, value]) => {
    const message = whyUnstorable(value);
    return message ? [{ field, message }] : [];
  });
  if (unstorable.length > 0) throw badInput(unstorable);
  const parsed = schema.safeParse(given, { error: wordIssue });
  if (parsed.success) return parsed.data;
  throw badInput(parsed.error.issues.map((issue) => ({ field: issue.path.join(".") || null, message: issue.message })));
}

/** GraphQL clients send null for "not given"; only a field that can be null takes it as a value. */
function dropAbsent(schema: z.ZodObject, raw: Record<string, unknown>): Record<string, unknown> {
  const given: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(schema.shape)) {
    const value = raw[name];
    const absent = value === undefined || (value === null && !(field as z.ZodType).safeParse(null).success);
    if (!absent) given[name] = value;
  }
  return given;
}

const MAX_DEPTH = 100;

/** What PostgreSQL's text and jsonb cannot hold, and what would exhaust the stack of those who walk it. */
function whyUnstorable(value: unknown, depth = 0): string | undefined {
  if (typeof value === "string") {
    if (value.includes("\u0000")) return "Text may not contain the character U+0000.";
    return /\p{Surrogate}/u.test(value) ? "Text may not contain half of a surrogate pair." : undefined;
  }
  if (value instanceof Date || typeof value !== "object" || value === null) return undefined;
  if (depth === MAX_DEPTH) return `It is nested deeper than ${MAX_DEPTH} levels.`;
  for (const [key, inner] of Object.entries(value)) {
    const reason = whyUnstorable(key) ?? whyUnstorable(inner, depth + 1);
    if (reason) return reason;
  }
  return undefined;
}

export interface FieldError {
  field: string | null;
  message: string;
}

export const badInput = (fields: FieldError[]): AppError =>
  new AppError("BAD_INPUT", fields.map((f) => (f.field ? `${f.field}: ${f.message}` : f.message)).join("; "), {
    fields,
  });
