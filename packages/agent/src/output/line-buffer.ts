import { StringDecoder } from "node:string_decoder";

/** Turns bytes into whole lines, never splitting a character. A line longer than `longest` is given up in parts. */
export class LineBuffer {
  #decoder = new StringDecoder("utf8");
  #partial = "";

  constructor(private readonly longest = 16 * 1024) {}

  get isEmpty(): boolean {
    return this.#partial === "";
  }

  /** @returns the lines that are complete, with their line ends; `""` when there is none */
  push(data: Buffer | string): string {
    this.#partial += typeof data === "string" ? data : this.#decoder.write(data);
    const complete = this.#partial.lastIndexOf("\n") + 1;
    return this.#take(this.#partial.length - complete > this.longest ? this.#partial.length : complete);
  }

  /** @returns the line that has no end yet */
  flush(): string {
    return this.#take(this.#partial.length);
  }

  #take(length: number): string {
    const taken = this.#partial.slice(0, length);
    this.#partial = this.#partial.slice(length);
    return taken;
  }
}

/** Cuts `text` in parts of at most `maxBytes` of UTF-8 without splitting a character. */
export function splitUtf8(text: string, maxBytes: number): string[] {
  const bytes = Buffer.from(text);
  const parts: string[] = [];
  for (let start = 0; start < bytes.length; ) {
    let end = Math.min(start + maxBytes, bytes.length);
    while (end < bytes.length && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
    parts.push(bytes.toString("utf8", start, end));
    start = end;
  }
  return parts;
}
