import { setTimeout as sleep } from "node:timers/promises";
import { IncidentEventsDocument } from "@poppo-ops/client";
import { WebSocket } from "ws";
import { ADMIN_TOKEN } from "./server-process.js";

/** Subscribes to all events from the beginning and never reads one. Cut off, it comes back. */
export class NeverReader implements AsyncDisposable {
  /** How often it was cut off. */
  cutOffs = 0;
  private socket: WebSocket | undefined;
  private readonly stopping = new AbortController();
  private readonly trying: Promise<void>;

  constructor(
    private readonly url: () => string,
    private readonly after: string,
  ) {
    this.trying = this.tryOn(this.stopping.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopping.abort();
    this.socket?.terminate();
    await this.trying;
  }

  private async tryOn(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.listen();
      this.cutOffs++;
      await sleep(500, undefined, { signal }).catch(() => {});
    }
  }

  private listen(): Promise<void> {
    const socket = new WebSocket(`${this.url().replace("http", "ws")}/graphql`, "graphql-transport-ws");
    this.socket = socket;
    const say = (message: object) => socket.send(JSON.stringify(message));
    socket.on("error", () => {});
    socket.on("open", () => say({ type: "connection_init", payload: { authorization: `Bearer ${ADMIN_TOKEN}` } }));
    socket.once("message", () => {
      const payload = { query: IncidentEventsDocument.toString(), variables: { after: this.after } };
      say({ id: "1", type: "subscribe", payload });
      socket.pause();
    });
    return new Promise((resolve) => socket.once("close", () => resolve()));
  }
}
