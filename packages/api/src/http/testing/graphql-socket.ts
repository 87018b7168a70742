import { once } from "node:events";
import type { Duplex } from "node:stream";
import { WebSocket } from "ws";

export interface Message {
  type: string;
  id?: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it has asked for
  payload?: any;
}

/** graphql-transport-ws frame by frame: what a client library would hide is what the tests are about. */
export class GraphqlSocket {
  readonly received: Message[] = [];
  /** How the server ended it. */
  readonly closed: Promise<{ code: number; reason: string }>;
  private ids = 0;
  private readonly waiting = new Set<() => void>();

  constructor(readonly socket: WebSocket) {
    socket.on("error", () => {});
    socket.on("message", (data) => {
      this.received.push(JSON.parse(String(data)));
      for (const look of this.waiting) look();
    });
    this.closed = new Promise((resolve) =>
      socket.once("close", (code, reason) => resolve({ code, reason: String(reason) })),
    );
  }

  /** Connected; nothing is sent yet. */
  static async open(url: string, options: { protocol?: string | null; headers?: Record<string, string> } = {}) {
    const { protocol = "graphql-transport-ws", headers } = options;
    const address = `${url.replace("http", "ws")}/graphql`;
    const opened = new GraphqlSocket(new WebSocket(address, protocol ?? [], { headers }));
    await once(opened.socket, "open");
    return opened;
  }

  static async acknowledged(url: string, token: string) {
    const opened = await GraphqlSocket.open(url);
    opened.send({ type: "connection_init", payload: { authorization: `Bearer ${token}` } });
    await opened.next((message) => message.type === "connection_ack");
    return opened;
  }

  send(message: object | string): void {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  /** Sends messages that reach the server in one piece. */
  sendTogether(...messages: object[]): void {
    // What is on the wire in one piece is handled in one turn of the server's event loop.
    const stream = (this.socket as unknown as { _socket: Duplex })._socket;
    stream.cork();
    for (const message of messages) this.send(message);
    stream.uncork();
  }

  /** Starts an operation and returns its id. */
  subscribe(query: string, variables: Record<string, unknown> = {}, operationName?: string): string {
    const id = String(++this.ids);
    this.send({ type: "subscribe", id, payload: { query, variables, operationName } });
    return id;
  }

  complete(id: string): void {
    this.send({ type: "complete", id });
  }

  /** The operation's first answer: its result, or the errors it was refused with. */
  async ask(
    query: string,
    variables: Record<string, unknown> = {},
    operationName?: string,
  ): Promise<{ data?: unknown; errors?: Message["payload"] }> {
    const id = this.subscribe(query, variables, operationName);
    const { type, payload } = await this.next((message) => message.id === id);
    return type === "error" ? { errors: payload } : payload;
  }

  /** The first message that fits, received or to come. Rejects when the connection closes before. */
  next(fits: (message: Message) => boolean): Promise<Message> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = this.received.find(fits);
        if (!found) return;
        this.waiting.delete(look);
        resolve(found);
      };
      this.waiting.add(look);
      void this.closed.then(({ code, reason }) => reject(new Error(`closed with ${code} ${reason}`)));
      look();
    });
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.socket.terminate();
    return this.closed.then(() => {});
  }
}
