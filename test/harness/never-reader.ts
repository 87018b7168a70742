import { setTimeout as sleep } from "node:timers/promises";
import { IncidentEventsDocument } from "@poppo-ops/client";
import { WebSocket } from "ws";
import { ADMIN_TOKEN } from "./server-process.js";

/** How a spell of not reading went: the server had ended it, it was told so when it looked, or it was left in peace. */
export const SPELL_ENDS = ["SLOW_CONSUMER", "TERMINATED", "LEFT_IN_PEACE", "SERVER_ENDED", "REFUSED"] as const;
export type SpellEnd = (typeof SPELL_ENDS)[number];

/** How long it does not read, and from which event of the log on. */
export interface Spell {
  forMs: number;
  after: string;
}

export interface NeverReaderOptions {
  name: string;
  /** The process of now, and whether it is there. */
  server(): { url: string; pid: number; isUp: boolean };
  nextSpell(): Promise<Spell>;
}

const MIB = 2 ** 20;
/** As many as a socket may have, nearly: they share its queue, and each event is sent for each of them. */
const SUBSCRIPTIONS = 150;
/**
 * What may reach somebody who did not read: the kernel's largest send buffer (4 MiB) and a receive buffer that never grew,
 * the 1 MiB after which a subscription is cut off, and one page of 200 events above it.
 */
const MOST_BYTES = 8 * MIB;
const AGAIN_MS = 500;
/** Whether a process is gone is known this long after its sockets were. */
const KNOWN_AFTER_MS = 4000;
const ALIVE_EVERY_MS = 1000;

/** Subscribes again and again, says that it is there, and reads nothing until a spell is over. Then it looks what it was sent. */
export class NeverReader implements AsyncDisposable {
  readonly ends = Object.fromEntries(SPELL_ENDS.map((end) => [end, 0])) as Record<SpellEnd, number>;
  readonly violations: string[] = [];
  private socket: WebSocket | undefined;
  private readonly stopping = new AbortController();
  private readonly trying: Promise<void>;

  constructor(private readonly options: NeverReaderOptions) {
    this.trying = this.tryOn(this.stopping.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopping.abort();
    this.socket?.terminate();
    await this.trying;
  }

  private async tryOn(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const end = await this.options.nextSpell().then(
        (spell) => this.spend(spell, signal),
        () => "REFUSED" as const,
      );
      if (!signal.aborted) this.ends[end]++;
      await sleep(AGAIN_MS, undefined, { signal }).catch(() => {});
    }
  }

  private async spend(spell: Spell, signal: AbortSignal): Promise<SpellEnd> {
    const { pid } = this.options.server();
    const { subscribed, looked, isSlow, bytes } = await this.listen(spell);
    if (looked) {
      if (bytes > MOST_BYTES)
        this.violations.push(`${this.options.name} did not read, and ${Math.round(bytes / MIB)} MiB were kept for it`);
      return isSlow ? "SLOW_CONSUMER" : "LEFT_IN_PEACE";
    }
    if (!subscribed) return "REFUSED";
    await sleep(KNOWN_AFTER_MS, undefined, { signal }).catch(() => {});
    const now = this.options.server();
    return now.isUp && now.pid === pid ? "TERMINATED" : "SERVER_ENDED";
  }

  private listen({ forMs, after }: Spell) {
    const seen = { subscribed: false, looked: false, isSlow: false, bytes: 0 };
    const socket = new WebSocket(`${this.options.server().url.replace("http", "ws")}/graphql`, "graphql-transport-ws");
    this.socket = socket;
    const say = (message: object) => socket.send(JSON.stringify(message));
    const timers: NodeJS.Timeout[] = [];
    socket.on("error", () => {});
    socket.on("open", () => say({ type: "connection_init", payload: { authorization: `Bearer ${ADMIN_TOKEN}` } }));
    socket.once("message", () => {
      const payload = { query: IncidentEventsDocument.toString(), variables: { after } };
      for (let id = 0; id < SUBSCRIPTIONS; id++) say({ id: `${id}`, type: "subscribe", payload });
      socket.pause();
      seen.subscribed = true;
      // Whoever says nothing is taken for dead, which is another matter. And only who writes notices that a peer is gone.
      timers.push(setInterval(() => socket.readyState === WebSocket.OPEN && socket.pong(), ALIVE_EVERY_MS));
      timers.push(setTimeout(look, forMs));
      socket.on("message", (data: Buffer) => {
        seen.bytes += data.length;
        seen.isSlow ||= data.includes("SLOW_CONSUMER");
      });
    });
    /** The answer to a ping comes after everything that was queued before it. */
    const look = () => {
      socket.once("pong", () => {
        seen.looked = true;
        socket.terminate();
      });
      socket.resume();
      socket.ping();
    };
    return new Promise<typeof seen>((resolve) =>
      socket.once("close", () => {
        for (const timer of timers) clearTimeout(timer);
        resolve(seen);
      }),
    );
  }
}
