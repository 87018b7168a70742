import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";

const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

/** All sockets of a process read into one buffer: what is read is taken in before the next one reads. */
const shared = Buffer.allocUnsafe(256 * 1024);

export interface CountingSocketOptions {
  url: URL;
  protocol?: string;
  onMessage(bytes: number, text: string): void;
  onClose?(): void;
  /** How much of each message is kept and handed on; the rest is skipped unread. */
  keepBytes: number;
}

/**
 * A WebSocket client that counts what it is sent and looks at next to nothing of it (RFC 6455, unfragmented frames).
 * With `ws`, and a buffer per read, the client took as much of the processor as the server it should measure.
 */
export class CountingSocket {
  keepBytes: number;
  closed = false;
  private readonly socket: Socket;
  private handshake = "";
  private upgraded: (() => void) | null = null;
  /** The bytes of a frame's header so far, and how many it will have. */
  private readonly header = Buffer.alloc(10);
  private have = 0;
  private want = 2;
  /** Bytes of the payload still to come. */
  private left = 0;
  private size = 0;
  private parts: Buffer[] = [];

  private constructor(private readonly options: CountingSocketOptions) {
    this.keepBytes = options.keepBytes;
    const onread = { buffer: shared, callback: (count: number) => this.read(shared.subarray(0, count)) };
    this.socket = connect({ host: options.url.hostname, port: Number(options.url.port), onread });
    this.socket.on("error", () => this.socket.destroy());
    this.socket.once("close", () => {
      this.closed = true;
      options.onClose?.();
    });
  }

  /** @throws when the connection ends before it was upgraded */
  static async open(options: CountingSocketOptions): Promise<CountingSocket> {
    const opened = new CountingSocket(options);
    const { socket } = opened;
    const upgraded = new Promise<void>((resolve) => {
      opened.upgraded = resolve;
    });
    await once(socket, "connect");
    socket.setNoDelay(true);
    const protocol = options.protocol ? `Sec-WebSocket-Protocol: ${options.protocol}\r\n` : "";
    socket.write(
      `GET ${options.url.pathname} HTTP/1.1\r\nHost: ${options.url.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n${protocol}\r\n`,
    );
    const refused = once(socket, "close").then(() => {
      throw new Error(`the connection to ${options.url} ended: ${opened.handshake.split("\r\n")[0] || "no answer"}`);
    });
    await Promise.race([upgraded, refused]);
    refused.catch(() => {});
    return opened;
  }

  send(text: string): void {
    this.write(TEXT, Buffer.from(text));
  }

  close(): void {
    this.socket.destroy();
  }

  /** A client masks what it sends; a mask of zeros is one. */
  private write(opcode: number, payload: Buffer): void {
    const length = payload.length;
    const header =
      length < 126
        ? Buffer.from([0x80 | opcode, 0x80 | length])
        : Buffer.from([0x80 | opcode, 0xfe, length >> 8, length & 255]);
    this.socket.write(Buffer.concat([header, Buffer.alloc(4), payload]));
  }

  private read(chunk: Buffer): boolean {
    let at = this.upgraded ? this.readHandshake(chunk) : 0;
    while (at < chunk.length) at = this.left > 0 ? this.readPayload(chunk, at) : this.readHeader(chunk, at);
    return true;
  }

  private readHandshake(chunk: Buffer): number {
    const before = this.handshake.length;
    this.handshake += chunk.toString("latin1");
    const end = this.handshake.indexOf("\r\n\r\n");
    if (end < 0) return chunk.length;
    if (this.handshake.startsWith("HTTP/1.1 101")) this.upgraded!();
    else this.socket.destroy();
    this.upgraded = null;
    return end + 4 - before;
  }

  private readHeader(chunk: Buffer, at: number): number {
    this.header[this.have++] = chunk[at]!;
    if (this.have === 2) this.want = { 126: 4, 127: 10 }[this.header[1]! & 127] ?? 2;
    if (this.have < this.want) return at + 1;
    const short = this.header[1]! & 127;
    this.size =
      short < 126 ? short : short === 126 ? this.header.readUInt16BE(2) : Number(this.header.readBigUInt64BE(2));
    this.left = this.size;
    this.have = 0;
    this.want = 2;
    if (this.left === 0) this.finish();
    return at + 1;
  }

  private readPayload(chunk: Buffer, at: number): number {
    const count = Math.min(this.left, chunk.length - at);
    // A copy: the buffer is the next socket's in a moment.
    const keep = Math.min(count, this.keepBytes - (this.size - this.left));
    if (keep > 0) this.parts.push(Buffer.from(chunk.subarray(at, at + keep)));
    this.left -= count;
    if (this.left === 0) this.finish();
    return at + count;
  }

  private finish(): void {
    const opcode = this.header[0]! & 15;
    const text = this.parts.length > 0 ? Buffer.concat(this.parts).toString() : "";
    this.parts = [];
    if (opcode === PING) this.write(PONG, Buffer.alloc(0));
    else if (opcode === CLOSE) this.socket.destroy();
    else this.options.onMessage(this.size, text);
  }
}
