import type { WebSocket } from "ws";
import type { Clock } from "../kernel/clock.js";

const ROUND_MS = 15_000;
const SLICES = 15;

/**
 * Pings every socket once a round and ends those that did not answer the last one. One loop over slices instead of a
 * timer per socket: 10,000 timers that fire together stall the event loop.
 */
export class Liveness {
  private readonly slices = Array.from({ length: SLICES }, () => new Set<WebSocket>());
  private readonly silent = new WeakSet<WebSocket>();
  private readonly stopping = new AbortController();
  private next = 0;
  private turning: Promise<void> | null = null;

  constructor(private readonly clock: Clock) {}

  start(): void {
    this.turning = this.turn(this.stopping.signal);
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.turning;
  }

  watch(socket: WebSocket, onAlive: () => void): void {
    const slice = this.slices[this.next++ % SLICES]!;
    slice.add(socket);
    socket.on("pong", () => {
      this.silent.delete(socket);
      onAlive();
    });
    socket.once("close", () => slice.delete(socket));
  }

  private async turn(signal: AbortSignal): Promise<void> {
    for (let i = 0; !signal.aborted; i++) {
      await this.clock.sleep(ROUND_MS / SLICES, signal);
      for (const socket of this.slices[i % SLICES]!) {
        if (this.silent.has(socket)) {
          socket.terminate();
          continue;
        }
        this.silent.add(socket);
        socket.ping();
      }
    }
  }
}
