import type { EventSocket } from "../subscriber.js";

/** The other end of a subscription, which reads or does not. */
export class RecordingSocket implements EventSocket {
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it has had rendered
  readonly pages: any[] = [];
  bufferedAmount = 0;
  terminated = false;
  private reading = true;
  private waiting: (() => void)[] = [];

  /** Called with every page. */
  onPage = () => {};

  get isCongested(): boolean {
    return this.bufferedAmount > 0;
  }

  writeFrame(pieces: readonly Buffer[]): void {
    const frame = Buffer.concat(pieces);
    const headerBytes = frame[1]! < 126 ? 2 : frame[1] === 126 ? 4 : 10;
    this.pages.push(JSON.parse(frame.subarray(headerBytes).toString()).payload);
    this.bufferedAmount += frame.length;
    if (this.reading) setImmediate(() => this.flush());
    this.onPage();
  }

  onDrain(listener: () => void): void {
    this.waiting.push(listener);
  }

  terminate(): void {
    this.terminated = true;
  }

  stopReading(): void {
    this.reading = false;
  }

  readOn(): void {
    this.reading = true;
    this.flush();
  }

  private flush(): void {
    if (!this.reading) return;
    this.bufferedAmount = 0;
    for (const drained of this.waiting.splice(0)) drained();
  }
}
