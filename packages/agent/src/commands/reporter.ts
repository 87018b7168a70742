import { backOffMs } from "@poppo-ops/client";
import type { Clock } from "../clock.js";
import { isRefusedForGood } from "../sender/refused-for-good.js";
import type { End, Journal } from "./journal.js";
import { limitReport } from "./limit-report.js";

/** What the server is told about a command; without `end`: it has started. */
export interface Report extends Partial<End> {
  commandId: string;
  fencingToken: number;
}

export interface ReporterOptions {
  journal: Journal;
  clock: Clock;
  random(): number;
  /** Resolves when the server has taken the report, whether it changed anything or not. */
  send(report: Report): Promise<void>;
  /** Resolves when the command's output is at the server, or it is not worth waiting longer. */
  outputDelivered(commandId: string): Promise<void>;
  warn(message: string, details?: object): void;
}

/** Tells the server about commands until it has heard: ends at least once, over restarts, from the journal. */
export class Reporter {
  #reports = new Map<string, Report>();
  #sending = new Set<string>();
  #failures = 0;
  #online = false;
  #cancelWait: (() => void) | undefined;
  #idle: (() => void)[] = [];

  constructor(private readonly options: ReporterOptions) {
    for (const { id, fencingToken, end } of options.journal.unreported())
      this.#reports.set(id, { commandId: id, fencingToken, ...end });
  }

  /** The newest report of a command replaces one that has not left. */
  put(report: Report): void {
    this.#reports.set(report.commandId, report);
    this.#wake();
  }

  connected(): void {
    this.#online = true;
    this.#wake();
  }

  disconnected(): void {
    this.#online = false;
    this.#cancelWait?.();
    this.#cancelWait = undefined;
  }

  /** Resolves when there is nothing left to tell. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idle.push(resolve);
      this.#wake();
    });
  }

  #wake(): void {
    if (this.#reports.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
    if (!this.#online || this.#cancelWait) return;
    for (const report of this.#reports.values()) if (!this.#sending.has(report.commandId)) void this.#send(report);
  }

  async #send(report: Report): Promise<void> {
    const { commandId } = report;
    this.#sending.add(commandId);
    try {
      if (report.end) await this.options.outputDelivered(commandId);
      await this.options.send(limitReport(report));
      this.#delivered(report);
    } catch (error) {
      if (isRefusedForGood(error)) {
        this.options.warn(`the server does not want the report of command ${commandId}: ${(error as Error).message}`);
        this.#delivered(report);
      } else if (this.#online) this.#waitAfter(error as Error);
    } finally {
      this.#sending.delete(commandId);
      this.#wake();
    }
  }

  #delivered(report: Report): void {
    this.#failures = 0;
    if (this.#reports.get(report.commandId) === report) this.#reports.delete(report.commandId);
    try {
      if (report.end) this.options.journal.markReported(report.commandId);
    } catch (error) {
      this.options.warn(`command ${report.commandId} will be reported again after a restart: ${error}`);
    }
  }

  #waitAfter(error: Error): void {
    const waitMs = backOffMs(this.#failures++, this.options.random);
    this.options.warn(`a command's report was not taken, trying again in ${Math.round(waitMs)} ms: ${error.message}`);
    this.#cancelWait ??= this.options.clock.after(waitMs, () => {
      this.#cancelWait = undefined;
      this.#wake();
    });
  }
}
