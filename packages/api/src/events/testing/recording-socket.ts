import type { EventSocket } from "../subscriber.js";

/** The other end of a subscription, which reads or does not. */
export class RecordingSocket implements EventSocket {
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it has had rendered
  readonly pages: any[] = [];
  bufferedAmount = 0;
  terminated = false;
  private reading = true;
  private unread: { bytes: number; flushed: () => void }[] = [];

  /** Called with every page. */
  onPage = () => {};

  send(text: string, flushed: () => void): void {
    this.pages.push(JSON.parse(text).payload);
    this.bufferedAmount += text.length;
    this.unread.push({ bytes: text.length, flushed });
    if (this.reading) setImmediate(() => this.flush());
    this.onPage();
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
    for (const { bytes, flushed } of this.unread.splice(0)) {
      this.bufferedAmount -= bytes;
      flushed();
    }
  }
}
