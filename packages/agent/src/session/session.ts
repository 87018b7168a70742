import {
  AgentSessionDocument,
  type AgentSessionSubscription,
  backOffMs,
  PoppoError,
  type Socket,
  type SocketState,
} from "@poppo-ops/client";
import { CLOSE } from "@poppo-ops/plugins/wire";
import { type Clock, sleep } from "../clock.js";

type Message = AgentSessionSubscription["agentSession"];

export interface SessionOptions {
  /** Makes the socket; its state changes go to `onState`. */
  connect(onState: (state: SocketState) => void): Socket;
  clock: Clock;
  random(): number;
  /** The first message of a connection: the server has everything up to `ackedSeq` of `ackedEpoch`. */
  onConnected(ackedEpoch: string | null, ackedSeq: number): void;
  onDisconnected(leaseMs: number): void;
  onMessage(message: Message): void;
  info(message: string, details?: object): void;
  warn(message: string, details?: object): void;
}

/** Why a session is over for good. */
export type SessionEnd = "REVOKED" | "SUPERSEDED";

/**
 * How often the wall clock is compared with the one that cannot jump, and how far it may have moved: less is noise to the
 * server too.
 */
const CLOCK_CHECK_MS = 5000;
const CLOCK_STEP_MS = 2000;
/** Until the server has said how long it waits for a silent agent. */
const DEFAULT_LEASE_MS = 30_000;

/** The agent's one subscription, over as many connections as it takes. */
export class Session {
  readonly socket: Socket;
  /** Resolves when the server wants this agent gone; coming back would be a fight or a waste. */
  readonly ended: Promise<SessionEnd>;
  #end!: (end: SessionEnd) => void;
  #stop = new AbortController();
  #leaseMs = DEFAULT_LEASE_MS;
  /** The connection is there; the session begins with its first message. */
  #awaitsFirst = false;
  #established = false;
  #failures = 0;
  /** The wall clock minus the one that cannot jump, when the present connection was begun. */
  #clockOffsetMs = 0;

  constructor(private readonly options: SessionOptions) {
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.socket = options.connect((state) => this.#changed(state));
    this.#subscribe();
    void this.#watchClock();
  }

  /** The server has begun the session of the present connection. */
  get isUp(): boolean {
    return this.#established;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.socket.close();
  }

  #subscribe(): void {
    if (this.#stop.signal.aborted) return;
    this.socket.subscribe(
      AgentSessionDocument,
      {},
      {
        next: ({ agentSession }) => this.#received(agentSession),
        error: (error) => void this.#resubscribe(error),
        complete: () => void this.#resubscribe(new PoppoError("UNAVAILABLE", "the server ended the session")),
      },
    );
  }

  async #resubscribe(error: PoppoError): Promise<void> {
    if (this.#stop.signal.aborted) return;
    if (error.code === "UNAUTHENTICATED") return this.#end("REVOKED");
    const { clock, random, warn } = this.options;
    const waitMs = error.retryAfterMs + backOffMs(this.#failures++, random);
    warn(`the session ended, trying again in ${Math.round(waitMs)} ms: ${error.message}`);
    this.#awaitsFirst = true;
    await sleep(clock, waitMs, this.#stop.signal);
    this.#subscribe();
  }

  #received(message: Message): void {
    this.#leaseMs = message.leaseMs;
    if (this.#awaitsFirst) {
      this.#awaitsFirst = false;
      this.#established = true;
      this.#failures = 0;
      this.options.info("connected to the server");
      this.options.onConnected(message.ackedEpoch, Number(message.ackedSeq ?? 0));
    }
    this.options.onMessage(message);
  }

  /** The server measures this clock when a connection begins, and dates results by that: one that was set is measured anew. */
  async #watchClock(): Promise<void> {
    const { clock, warn } = this.options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await sleep(clock, CLOCK_CHECK_MS, signal);
      const movedMs = offsetOf(clock) - this.#clockOffsetMs;
      if (!this.#established || Math.abs(movedMs) < CLOCK_STEP_MS || signal.aborted) continue;
      warn(`the clock of this host was set by ${Math.round(movedMs / 1000)} s: connecting anew`);
      this.socket.terminate();
    }
  }

  #changed({ kind, code, reason, error }: SocketState): void {
    if (kind === "connecting") this.#clockOffsetMs = offsetOf(this.options.clock);
    if (kind === "connected") this.#awaitsFirst = true;
    if (kind !== "closed" || this.#stop.signal.aborted) return;
    const why = [code, reason || (error as Error | undefined)?.message].filter(Boolean).join(" ");
    if (this.#established) this.options.onDisconnected(this.#leaseMs);
    this.options.warn(this.#established ? `connection lost: ${why}` : `the server is not reachable: ${why}`);
    this.#established = false;
    if (code === CLOSE.REVOKED) this.#end("REVOKED");
    if (code === CLOSE.SUPERSEDED) this.#end("SUPERSEDED");
  }
}

const offsetOf = (clock: Clock): number => clock.now() - clock.monotonic();
