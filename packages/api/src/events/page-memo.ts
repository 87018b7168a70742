import type { Rendered } from "./reader-group.js";

const MAX_BYTES = 16 * 1024 * 1024;

/**
 * Pages by what they are made of, made once also when many ask in the same moment: after a restart thousands want the very
 * same ones. Bounded; the oldest go first.
 */
export class PageMemo {
  private readonly pages = new Map<string, { page: Promise<Rendered>; bytes: number }>();
  private bytes = 0;

  get(key: string, make: () => Promise<Rendered>): Promise<Rendered> {
    const known = this.pages.get(key);
    if (known) return known.page;
    const page = make();
    const entry = { page, bytes: 0 };
    this.pages.set(key, entry);
    page.then(
      ({ message }) => this.account(key, entry, key.length + (message?.bytes ?? 0)),
      () => this.pages.delete(key),
    );
    return page;
  }

  private account(key: string, entry: { bytes: number }, bytes: number): void {
    if (this.pages.get(key) !== entry) return;
    entry.bytes = bytes;
    this.bytes += bytes;
    while (this.bytes > MAX_BYTES) {
      const [oldest, { bytes: freed }] = this.pages.entries().next().value!;
      this.pages.delete(oldest);
      this.bytes -= freed;
    }
  }
}
