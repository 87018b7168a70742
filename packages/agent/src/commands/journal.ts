import { appendFileSync, closeSync, fsyncSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { CommandEnd } from "@poppo-ops/plugins/wire";
import { z } from "zod";
import { writeAtomically } from "../files/write-atomically.js";
import type { ProcessGroup } from "../processes/process-group.js";

/** How a command ended, as it is reported. */
export interface End {
  end: CommandEnd;
  summary: string;
  result?: unknown;
  /** Process ids that outlived the stop; absent when nothing was stopped. */
  survivors?: number[];
}

export interface Entry {
  id: string;
  fencingToken: number;
  target?: string;
  /** Process groups the command has started, and the boot of the host they belong to. */
  groups: ProcessGroup[];
  bootId: string;
  end?: End;
  /** The server has taken the report of the end. */
  reported: boolean;
}

type Line =
  | { type: "started"; id: string; fencingToken: number; target?: string; bootId: string }
  | { type: "group"; id: string; group: ProcessGroup }
  | { type: "end"; id: string; end: End }
  | { type: "reported"; id: string }
  | { type: "token"; target: string; token: number };

/** Ended and reported commands that are remembered, so that a late second delivery is recognised. */
const REMEMBERED = 1000;
const COMPACT_AFTER_LINES = 10_000;

/**
 * What this host did about commands: one fsynced line per step, written before the step is taken. It is what makes a
 * command run at most once and end exactly once, over any crash. `markEnded` is the only writer of an end.
 */
export class Journal {
  #entries = new Map<string, Entry>();
  /** The highest fencing token seen for each target. */
  #tokens = new Map<string, number>();
  #lines = 0;
  #fd: number;
  readonly #path: string;

  constructor(dir: string) {
    this.#path = join(dir, "journal.jsonl");
    for (const line of readLines(this.#path)) this.#apply(line);
    this.#fd = this.#compact();
  }

  find(id: string): Entry | undefined {
    return this.#entries.get(id);
  }

  highestToken(target: string): number {
    return this.#tokens.get(target) ?? 0;
  }

  /** Commands without an end. At start-up: those a crash has cut off. */
  unfinished(): Entry[] {
    return [...this.#entries.values()].filter(({ end }) => !end);
  }

  /** Commands whose end the server has not taken yet. */
  unreported(): Entry[] {
    return [...this.#entries.values()].filter(({ end, reported }) => end && !reported);
  }

  /** @throws when the disk does not take it: then the command must not run */
  markStarted(command: { id: string; fencingToken: number; target?: string; bootId: string }): void {
    this.#write({ type: "started", ...command });
  }

  markGroup(id: string, group: ProcessGroup): void {
    this.#write({ type: "group", id, group });
  }

  /** Records the end, unless there is one. @returns the end that counts */
  markEnded(id: string, end: End): End {
    const recorded = this.#entries.get(id)?.end;
    if (recorded) return recorded;
    this.#write({ type: "end", id, end });
    return end;
  }

  markReported(id: string): void {
    if (this.#entries.has(id)) this.#write({ type: "reported", id });
  }

  close(): void {
    closeSync(this.#fd);
  }

  #write(line: Line): void {
    // A new line first: a full disk may have torn the line before.
    appendFileSync(this.#fd, `\n${JSON.stringify(line)}\n`);
    fsyncSync(this.#fd);
    this.#apply(line);
    if (++this.#lines < COMPACT_AFTER_LINES) return;
    closeSync(this.#fd);
    this.#fd = this.#compact();
  }

  #apply(line: Line): void {
    if (line.type === "token") this.#raise(line.target, line.token);
    else if (line.type === "started") this.#add(line);
    else {
      const entry = this.#entries.get(line.id);
      if (!entry) return;
      if (line.type === "group") entry.groups.push(line.group);
      else if (line.type === "end") entry.end ??= line.end;
      else entry.reported = true;
    }
  }

  #add({ type, ...entry }: Extract<Line, { type: "started" }>): void {
    this.#entries.set(entry.id, { ...entry, groups: [], reported: false });
    if (entry.target !== undefined) this.#raise(entry.target, entry.fencingToken);
  }

  #raise(target: string, token: number): void {
    this.#tokens.set(target, Math.max(token, this.highestToken(target)));
  }

  /** Rewrites the file without what is no longer needed; tokens are kept for ever. @returns the file, open to append */
  #compact(): number {
    const done = [...this.#entries.values()].filter(({ reported }) => reported);
    for (const { id } of done.slice(0, -REMEMBERED)) this.#entries.delete(id);
    const lines: Line[] = [...this.#tokens].map(([target, token]) => ({ type: "token", target, token }));
    for (const { groups, end, reported, ...started } of this.#entries.values()) {
      const { id } = started;
      lines.push({ type: "started", ...started });
      for (const group of groups) lines.push({ type: "group", id, group });
      if (end) lines.push({ type: "end", id, end });
      if (reported) lines.push({ type: "reported", id });
    }
    try {
      writeAtomically(this.#path, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    } catch {
      // Disk full: the longer file says the same.
    }
    this.#lines = lines.length;
    return openSync(this.#path, "a", 0o600);
  }
}

const lineSchema = z.looseObject({ type: z.enum(["started", "group", "end", "reported", "token"]) });

/** A line a crash has torn was never acted upon: the act comes after the fsync. */
function readLines(path: string): Line[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  return text.split("\n").flatMap((line) => {
    try {
      return [lineSchema.parse(JSON.parse(line)) as unknown as Line];
    } catch {
      return [];
    }
  });
}
