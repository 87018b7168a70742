import { eq } from "drizzle-orm";
import { agentCommands as commands } from "../agents/agent.table.js";
import { readOutput } from "../agents/command-output.js";
import type { Db } from "../db/database.js";
import type { App } from "../kernel/app.js";
import { AppError } from "../kernel/app-error.js";
import { type OutputPage, OutputReader } from "./output-reader.js";
import { remediationRuns as runs } from "./remediation.table.js";

const CHUNKS = 50;
const POLL_MS = 1000;

interface Progress {
  commandId: string | null;
  ended: boolean;
}

/** Where the output of a run stands. It ends with its command: the agent reports the end after the last of the output. */
async function readProgress(db: Db, runId: string): Promise<Progress | null> {
  const [run] = await db
    .select({ commandId: runs.commandId, finishedAt: runs.finishedAt, endedAt: commands.endedAt })
    .from(runs)
    .leftJoin(commands, eq(commands.id, runs.commandId))
    .where(eq(runs.id, runId));
  return run ? { commandId: run.commandId, ended: run.finishedAt !== null || run.endedAt !== null } : null;
}

/**
 * One page of a run's output after a chunk; `ended` when nothing can follow it. `progress` must have been read before:
 * what is written in between makes the page incomplete, never an end too early.
 */
async function readPage(db: Db, progress: Progress, after: number, first: number): Promise<OutputPage> {
  const chunks = progress.commandId ? await readOutput(db, progress.commandId, after, first) : [];
  return { chunks, ended: progress.ended && chunks.length < first };
}

/** The same as a query; null when there is no such run. */
export async function readOutputPage(db: Db, runId: string, after: number, first: number): Promise<OutputPage | null> {
  const progress = await readProgress(db, runId);
  return progress && readPage(db, progress, after, first);
}

/**
 * The readers of one run's output share one look at the database: it is read for those that wait for a page, when a hint
 * says that there is more and once a second after all. A reader that does not ask costs nothing and holds nothing back.
 */
class OutputFeed {
  private readonly readers = new Set<OutputReader>();
  private bell = new AbortController();
  private serving = false;
  private commandId: string | null = null;

  constructor(
    private readonly app: App,
    private readonly runId: string,
    private readonly onIdle: () => void,
  ) {}

  join(after: number): OutputReader {
    const reader = new OutputReader(after, {
      asks: () => this.ring(),
      leaves: () => {
        this.readers.delete(reader);
        this.ring();
      },
    });
    this.readers.add(reader);
    if (!this.serving) void this.serve();
    return reader;
  }

  private ring(): void {
    this.bell.abort();
  }

  private async serve(): Promise<void> {
    this.serving = true;
    const stopHints = this.app.hints.subscribe((topic) => this.hears(topic) && this.ring());
    while (this.readers.size > 0) {
      this.bell = new AbortController();
      const { signal } = this.bell;
      const advanced = await this.lookUp().catch((error) => {
        this.app.log.warn({ err: error, runId: this.runId }, "output cannot be read; trying again");
        return false;
      });
      if (!advanced) await this.app.clock.sleep(POLL_MS, signal);
    }
    stopHints();
    this.serving = false;
    this.onIdle();
  }

  /** Each step of the run hints with its own id, so the command's is known in time. */
  private hears(topic: string): boolean {
    return topic === `output:${this.runId}` || topic === `output:${this.commandId}`;
  }

  /** @returns whether some reader got a page */
  private async lookUp(): Promise<boolean> {
    const waiting = [...this.readers].filter((reader) => reader.isWaiting);
    if (waiting.length === 0) return false;
    const after = Math.min(...waiting.map((reader) => reader.after));
    const { db } = this.app.database;
    const progress = (await readProgress(db, this.runId)) ?? { commandId: null, ended: true };
    this.commandId = progress.commandId;
    const page = await readPage(db, progress, after, CHUNKS);
    return waiting.map((reader) => reader.offer(page)).includes(true);
  }
}

const feeds = new WeakMap<App, Map<string, OutputFeed>>();

/** The output of a run from after a chunk on (-1: its beginning), live, until it has ended. @throws {AppError} NOT_FOUND */
export async function followOutput(app: App, runId: string, after: number): Promise<OutputReader> {
  if (!(await readProgress(app.database.db, runId)))
    throw new AppError("NOT_FOUND", `There is no remediation run ${runId}.`, { field: "runId" });
  const ofApp = feeds.get(app) ?? new Map<string, OutputFeed>();
  feeds.set(app, ofApp);
  const feed = ofApp.get(runId) ?? new OutputFeed(app, runId, () => ofApp.delete(runId));
  ofApp.set(runId, feed);
  return feed.join(after);
}
