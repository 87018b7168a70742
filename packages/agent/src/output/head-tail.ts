import type { OutputChunk } from "@poppo-ops/plugins/wire";

export type Piece = Omit<OutputChunk, "seq">;

const KEEP = { headBytes: 256 * 1024, tailBytes: 256 * 1024 };

/** Lets the first bytes of an output pass, holds back the last ones, and counts what it drops between them. */
export class HeadTail {
  #head: number;
  #tail: Piece[] = [];
  #tailBytes = 0;
  #dropped = 0;

  constructor(private readonly keep = KEEP) {
    this.#head = keep.headBytes;
  }

  /** @returns what may leave now */
  push(piece: Piece): Piece[] {
    const bytes = Buffer.byteLength(piece.text);
    if (bytes <= this.#head) {
      this.#head -= bytes;
      return [piece];
    }
    this.#head = 0;
    this.#tail.push(piece);
    this.#tailBytes += bytes;
    while (this.#tailBytes > this.keep.tailBytes && this.#tail.length > 1) {
      const dropped = Buffer.byteLength(this.#tail.shift()?.text ?? "");
      this.#tailBytes -= dropped;
      this.#dropped += dropped;
    }
    return [];
  }

  /** The output has ended: what was held back, and a word about what is missing before it. */
  end(): Piece[] {
    const tail = this.#tail.splice(0);
    if (this.#dropped === 0) return tail;
    return [{ stream: "system", offset: 0, text: `[${this.#dropped} bytes of output left out]\n` }, ...tail];
  }
}
