import type { KeyObject } from "node:crypto";
import type { CommandPayload } from "@poppo-ops/plugins/wire";
import type { Clock } from "../clock.js";
import type { Policy } from "../config/config.js";
import type { Outputs } from "../output/outputs.js";
import type { Plugins } from "../plugins/plugins.js";
import { bootId } from "../processes/proc.js";
import { GRACES, type Graces, isThisBoot, stopGroup, survivorsOf } from "../processes/process-group.js";
import type { Scheduler } from "../scheduler/scheduler.js";
import { act, describeSurvivors, runWork } from "./act.js";
import { type CheckedRemediation, checkRemediation, Refused } from "./check-remediation.js";
import type { End, Entry, Journal } from "./journal.js";
import { claimedToken, openCommand, type SignedCommand } from "./payload.js";
import type { Reporter } from "./reporter.js";
import { Stopped } from "./stopped.js";

export interface CommandsOptions {
  agentId: string;
  serverKey: KeyObject;
  policy: Policy;
  journal: Journal;
  reporter: Reporter;
  outputs: Outputs;
  plugins: Plugins;
  scheduler: Scheduler;
  clock: Clock;
  redact(text: string): string;
  warn(message: string, details?: object): void;
  graces?: Graces;
}

/** A command under way. */
interface Run {
  payload: CommandPayload;
  abort: AbortController;
  done: Promise<End>;
}

/** How far the clocks of server and host may differ before a command counts as too late. */
const CLOCK_TOLERANCE_MS = 30_000;
const PREVIEW_TIMEOUT_MS = 30_000;

/**
 * Runs what the server commands: once, within the rules of this host, and with exactly one end. The journal is written
 * before anything runs, so that neither a second delivery nor a crash runs a command again.
 */
export class Commands {
  #runs = new Map<string, Run>();
  /** The probe each finished remediation is verified by, until the server cancels the watch. */
  #watches = new Map<string, string>();
  #cancelLease: (() => void) | undefined;
  #stopping = false;
  #graces: Graces;

  constructor(private readonly options: CommandsOptions) {
    this.#graces = options.graces ?? GRACES;
  }

  /** Ends what an earlier process has left unfinished: its processes are stopped, then INTERRUPTED is reported. */
  async recover(): Promise<void> {
    await Promise.all(this.options.journal.unfinished().map((entry) => this.#interrupt(entry)));
  }

  /**
   * Takes a command from the session; resolves when it has ended. While this stops, it takes none: what is not reported
   * is delivered again. Never rejects.
   */
  async receive(signed: SignedCommand): Promise<void> {
    if (this.#stopping) return;
    const { agentId, journal, reporter, serverKey, warn } = this.options;
    const payload = openCommand(signed, serverKey);
    const refusal = typeof payload === "string" ? payload : wrongAgent(payload, agentId);
    if (refusal !== undefined || typeof payload === "string") {
      // Not journaled: what anybody could have made up must not occupy the id of a real command.
      warn(`command ${signed.id} refused: ${refusal}`);
      return reporter.put({
        commandId: signed.id,
        fencingToken: claimedToken(signed),
        end: "REFUSED",
        summary: refusal,
      });
    }
    if (this.#runs.has(payload.id)) return reporter.put(startOf(payload));
    const known = journal.find(payload.id);
    if (known?.end) return reporter.put({ commandId: known.id, fencingToken: known.fencingToken, ...known.end });
    // It ran, and a full disk has lost its end.
    if (known) return this.#interrupt(known);
    await this.#start(payload);
  }

  connected(): void {
    this.#cancelLease?.();
    this.#cancelLease = undefined;
  }

  /** Remediations are stopped when the contact has been lost for `leaseMs`: the server may let another agent act. */
  disconnected(leaseMs: number): void {
    this.#cancelLease ??= this.options.clock.after(leaseMs, () =>
      this.#abortAll(new Stopped("INTERRUPTED", `lease expired: no contact with the server for ${leaseMs} ms`)),
    );
  }

  /** Stops everything under way; resolves when every end is recorded. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.connected();
    this.#abortAll(new Stopped("INTERRUPTED", "the agent was stopped"));
    await Promise.all([...this.#runs.values()].map(({ done }) => done));
  }

  async #start(payload: CommandPayload): Promise<void> {
    const { journal, reporter } = this.options;
    const abort = new AbortController();
    const run: Run = { payload, abort, done: this.#perform(payload, abort) };
    this.#runs.set(payload.id, run);
    const end = await run.done;
    this.#runs.delete(payload.id);
    const { id, fencingToken } = payload;
    reporter.put({ commandId: id, fencingToken, ...this.#record(journal, id, end) });
  }

  /** An end the disk does not take is still reported; a restart would then report INTERRUPTED, which the server ignores. */
  #record(journal: Journal, id: string, end: End): End {
    try {
      return journal.markEnded(id, end);
    } catch (error) {
      this.options.warn(`cannot record the end of command ${id}: ${error}`);
      return end;
    }
  }

  async #perform(payload: CommandPayload, abort: AbortController): Promise<End> {
    try {
      this.#checkTime(payload);
      if (payload.kind === "REMEDIATE") this.#checkToken(payload);
      switch (payload.kind) {
        case "RUN_PROBE":
          return await this.#runProbe(payload);
        case "CANCEL":
          return await this.#cancel(payload);
        case "PREVIEW":
          return await this.#preview(payload, abort);
        case "REMEDIATE":
          return await this.#remediate(payload, abort);
      }
    } catch (error) {
      const summary = this.options.redact((error as Error).message);
      this.options.warn(`command ${payload.id} (${payload.kind}): ${summary}`);
      if (!(error instanceof Refused)) return { end: "FAILED", summary };
      return this.#refuse(payload, summary);
    }
  }

  /** A refusal the disk does not take is reported all the same: nothing has run, so a second delivery does no harm. */
  #refuse({ id, fencingToken }: CommandPayload, summary: string): End {
    const { journal, warn } = this.options;
    try {
      if (!journal.find(id)) journal.markStarted({ id, fencingToken, bootId: bootId() });
    } catch (error) {
      warn(`cannot record that command ${id} was refused: ${error}`);
    }
    return { end: "REFUSED", summary };
  }

  #checkTime({ startBy }: CommandPayload): void {
    const now = this.options.clock.now();
    if (now <= Date.parse(startBy) + CLOCK_TOLERANCE_MS) return;
    throw new Refused(`startBy: had to start by ${startBy}; this host's clock says ${new Date(now).toISOString()}`);
  }

  #checkToken({ fencingToken, target }: CommandPayload): void {
    if (target === undefined) return;
    const highest = this.options.journal.highestToken(target);
    if (fencingToken < highest)
      throw new Refused(`fencing: token ${fencingToken} for "${target}" is stale; ${highest} was seen already`);
  }

  /** From here on the command counts as run. @throws {Refused} when the disk does not take the record */
  #markStarted(payload: CommandPayload, target?: string): void {
    const { id, fencingToken } = payload;
    try {
      this.options.journal.markStarted({ id, fencingToken, target, bootId: bootId() });
    } catch (error) {
      throw new Refused(`journal: the start cannot be recorded (${(error as Error).message}), so nothing was run`);
    }
    this.options.reporter.put(startOf(payload));
  }

  async #runProbe(payload: CommandPayload): Promise<End> {
    const running = this.options.scheduler.runNow(payload.probeId ?? "");
    if (!running) throw new Refused(`probe: ${payload.probeId} is not assigned to this agent`);
    this.#markStarted(payload);
    const results = await running;
    return { end: "SUCCEEDED", summary: results.map(({ status, summary }) => `${status}: ${summary}`).join("; ") };
  }

  async #cancel(payload: CommandPayload): Promise<End> {
    this.#markStarted(payload);
    const cancelled = payload.cancels ?? "";
    const watched = this.#watches.get(cancelled);
    if (watched) this.options.scheduler.unwatch(watched);
    this.#watches.delete(cancelled);
    const run = this.#runs.get(cancelled);
    if (!run) return this.#cancelAhead(cancelled, payload.fencingToken);
    run.abort.abort(new Stopped("CANCELLED", "cancelled"));
    const { end, survivors = [] } = await run.done;
    return { end: "SUCCEEDED", summary: `command ${cancelled} ended ${end}; ${describeSurvivors(survivors)}` };
  }

  /** It may still come: a pause holds remediations back, and not their cancels. Then it finds that it has ended. */
  #cancelAhead(cancelled: string, fencingToken: number): End {
    const { journal, reporter } = this.options;
    if (!journal.find(cancelled)) {
      journal.markStarted({ id: cancelled, fencingToken, bootId: bootId() });
      const end = journal.markEnded(cancelled, {
        end: "CANCELLED",
        summary: "cancelled before it came",
        survivors: [],
      });
      reporter.put({ commandId: cancelled, fencingToken, ...end });
    }
    return { end: "SUCCEEDED", summary: `command ${cancelled} is not running here` };
  }

  async #preview(payload: CommandPayload, abort: AbortController): Promise<End> {
    const { plugins, policy } = this.options;
    const { remediation, input, policyRefusal } = await checkRemediation(payload, plugins, policy);
    this.#markStarted(payload);
    return this.#act(payload, abort, payload.timeoutMs ?? PREVIEW_TIMEOUT_MS, async (context) => {
      const preview = await remediation.preview(input, context);
      if (preview.possible && policyRefusal) preview.refusals.push(`policy: ${policyRefusal}`);
      return {
        end: "SUCCEEDED",
        summary: preview.possible ? preview.actions.join("; ") : preview.reason,
        result: preview,
      };
    });
  }

  async #remediate(payload: CommandPayload, abort: AbortController): Promise<End> {
    const { plugins, policy, redact } = this.options;
    const checked = await checkRemediation(payload, plugins, policy);
    await this.#stopOlder(payload, checked);
    this.#checkToken({ ...payload, target: checked.target });
    if (abort.signal.aborted) return { end: "CANCELLED", summary: "stopped before it started", survivors: [] };
    this.#markStarted(payload, checked.target);
    const timeoutMs = payload.timeoutMs ?? checked.remediation.timeoutMs;
    const end = await this.#act(payload, abort, timeoutMs, runWork(checked.remediation, checked.input, redact));
    if (end.end === "SUCCEEDED") this.#watch(payload);
    return end;
  }

  /** A newer claim of the same target means that the server has given the older one up. */
  async #stopOlder({ id, fencingToken }: CommandPayload, { target }: CheckedRemediation): Promise<void> {
    for (const run of this.#runs.values()) {
      if (run.payload.id === id || run.payload.kind !== "REMEDIATE" || run.payload.target !== target) continue;
      if (run.payload.fencingToken >= fencingToken) continue;
      run.abort.abort(new Stopped("INTERRUPTED", `a newer command claimed "${target}" with token ${fencingToken}`));
      await run.done;
    }
  }

  #act(
    payload: CommandPayload,
    abort: AbortController,
    timeoutMs: number,
    work: Parameters<typeof act>[0],
  ): Promise<End> {
    const { clock, journal, outputs, redact } = this.options;
    const output = outputs.open(payload.id);
    return act(work, { commandId: payload.id, timeoutMs, abort, output, journal, clock, graces: this.#graces, redact });
  }

  /** The results flow like any others; whether the fix helped is the server's decision. */
  #watch({ id, verify }: CommandPayload): void {
    if (!verify) return;
    const { clock, scheduler, warn } = this.options;
    if (!scheduler.watch(verify.probeId, verify.everyMs, verify.forMs)) {
      warn(`command ${id} is to be verified by probe ${verify.probeId}, which is not assigned here`);
      return;
    }
    this.#watches.set(id, verify.probeId);
    clock.after(verify.forMs, () => this.#watches.delete(id));
  }

  #abortAll(reason: Stopped): void {
    for (const { abort } of this.#runs.values()) abort.abort(reason);
  }

  async #interrupt({ id, groups, fencingToken, bootId: boot }: Entry): Promise<void> {
    const { clock, journal, reporter, warn } = this.options;
    if (isThisBoot(boot)) for (const group of groups) await stopGroup(group, clock, this.#graces);
    const survivors = isThisBoot(boot) ? survivorsOf(id, groups) : [];
    const summary = `the agent ended while the command ran; ${describeSurvivors(survivors)}`;
    warn(`command ${id}: ${summary}`);
    reporter.put({
      commandId: id,
      fencingToken,
      ...this.#record(journal, id, { end: "INTERRUPTED", summary, survivors }),
    });
  }
}

const startOf = ({ id, fencingToken }: CommandPayload) => ({ commandId: id, fencingToken });

const wrongAgent = ({ agentId }: CommandPayload, own: string): string | undefined =>
  agentId === own ? undefined : `agent: meant for ${agentId}, this is ${own}`;
