import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Edit } from "./rewrite.js";

/** A place where the order of two steps is a promise. The process that reaches it while it is armed ends as by kill -9. */
export interface CrashPoint {
  name: string;
  side: "server" | "agent";
  module: string;
  /** A piece of the compiled module that is in it exactly once. Short, and unlikely to change. */
  anchor: string;
  place: Place;
}

/** Makes of the anchor and of the call that ends the process what stands there instead. */
type Place = (anchor: string, reached: string) => string;

const before: Place = (anchor, reached) => `${reached}; ${anchor}`;
const after: Place = (anchor, reached) => `${anchor} ${reached};`;
/** The anchor is an expression, a promise. */
const settled: Place = (anchor, reached) => `${anchor}.then((value) => (${reached}, value))`;
/** What is handed over has left the process only after this turn of the event loop. */
const sent: Place = (anchor, reached) => `${anchor} setImmediate(() => ${reached});`;

type Points = [name: string, module: string, anchor: string, place: Place][];

const SERVER: Points = [
  [
    "flush before its commit",
    "agents/ingest.js",
    "await applySignals(tools, evaluations.written(await saved));",
    after,
  ],
  ["flush after its commit", "agents/ingest.js", "evaluations.commit();", before],
  ["results before their ack", "agents/ingest.js", "return { ackedSeq, window", before],
  ["act before COMMIT", "kernel/command.js", 'topics.add("events");', after],
  ["act after COMMIT, before its hints", "kernel/command.js", "for (const topic of topics)", before],
  [
    "claim before its commit",
    "remediations/start-runs.js",
    "return { decisions, queued",
    (anchor, reached) => `if (moves.length > 0) ${reached}; ${anchor}`,
  ],
  [
    "claim after its commit",
    "remediations/automatic.js",
    "act(systemScope(app, POLICY), startPreviewed)",
    (anchor, reached) => `${anchor}.then((count) => (count > 0 && ${reached}, count))`,
  ],
  [
    "command sent",
    "agents/agent-session.js",
    "this.push({ assignments: null, commands, leaseMs: LEASE_MS, ackedSeq: null, ackedEpoch: null });",
    sent,
  ],
  ["session before its commit", "agents/session.store.js", 'hint("agents");', before],
  ["command report before its commit", "agents/report-command.js", 'hint("commands");', before],
  ["command report after its commit", "agents/report.resolver.js", "reportCommand(scope, input)", settled],
  ["run moved, before the commit", "remediations/move-runs.js", "return moved.map(", before],
  ["event before it is written to subscribers", "events/fan-out.js", "async write(group, message) {", after],
];

const AGENT: Points = [
  ["results before the spool", "spool/spool.js", "segment.append(this.#waiting", before],
  ["results in the spool", "spool/spool.js", "segment.append(this.#waiting.slice(0, count), now);", after],
  [
    "spool before fsync",
    "spool/segment.js",
    "fsync(this.#fd, done);",
    (anchor, reached) => `{ ${reached}; ${anchor} }`,
  ],
  ["ack before the mark", "spool/spool.js", "this.#gaps.forgetUpTo(this.#acked);", after],
  ["mark before it is written", "spool/spool.js", "writeMark(this.dir", before],
  ["mark written", "spool/spool.js", "this.#markDirty = false;", before],
  [
    "start before the journal",
    "commands/commands.js",
    "this.options.journal.markStarted({ id, fencingToken, target, ",
    before,
  ],
  ["start in the journal", "commands/commands.js", "this.options.reporter.put(startOf(payload));", before],
  ["process before its group is in the journal", "commands/act.js", "journal.markGroup(commandId, group);", before],
  ["group in the journal", "commands/act.js", "journal.markGroup(commandId, group);", after],
  ["command ended, not in the journal", "commands/commands.js", "const end = await run.done;", after],
  ["end in the journal, not reported", "commands/journal.js", 'this.#write({ type: "end", id, end });', after],
  [
    "end reported, not in the journal",
    "commands/reporter.js",
    "await this.options.send(limitReport(report));",
    (anchor, reached) => `${anchor} if (report.end) ${reached};`,
  ],
  ["output before it is kept", "output/output-log.js", "appendFileSync(this.options.path", before],
];

const on = (side: CrashPoint["side"], points: Points): CrashPoint[] =>
  points.map(([name, module, anchor, place]) => ({ name, side, module, anchor, place }));

export const CRASH_POINTS: readonly CrashPoint[] = [...on("server", SERVER), ...on("agent", AGENT)];

/** The file that arms a point, in the folder of the process that is to end there. */
export const fileOf = (name: string): string => name.replace(/\W+/g, "-");

export const editOf = ({ name, module, anchor, place }: CrashPoint): Edit => ({
  module,
  find: anchor,
  replace: place(anchor, `globalThis.crashPointReached(${JSON.stringify(name)})`),
});

/** What happens at a point: the process ends, or it waits there for whoever breaks something else meanwhile. */
export type AtPoint = "SIGKILL" | "SIGSTOP";

/** From now on it happens to the process that keeps its points in `folder` where it reaches this one, once. */
export const arm = (folder: string, name: string, what: AtPoint = "SIGKILL"): Promise<void> =>
  writeFile(join(folder, fileOf(name)), what);

export const isArmed = (folder: string, name: string): boolean => existsSync(join(folder, fileOf(name)));

export const disarm = (folder: string, name: string): Promise<void> => rm(join(folder, fileOf(name)), { force: true });
