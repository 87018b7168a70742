import type { SpoolGap } from "@poppo-ops/plugins/wire";

/** The ranges of sequence numbers that were given up, and why; sorted, never overlapping. */
export class Gaps {
  #gaps: SpoolGap[];

  constructor(gaps: readonly SpoolGap[] = []) {
    this.#gaps = [...gaps];
  }

  get list(): readonly SpoolGap[] {
    return this.#gaps;
  }

  get last(): number {
    return this.#gaps.at(-1)?.to ?? 0;
  }

  has(seq: number): boolean {
    return this.#gaps.some((gap) => gap.from <= seq && seq <= gap.to);
  }

  /** Swallows older gaps inside the range and joins a neighbour given up for the same reason: the list stays short. */
  add(gap: SpoolGap): void {
    let { from, to } = gap;
    const others = this.#gaps.filter((other) => {
      if (from <= other.from && other.to <= to) return false;
      if (other.reason !== gap.reason || other.to < from - 1 || other.from > to + 1) return true;
      from = Math.min(from, other.from);
      to = Math.max(to, other.to);
      return false;
    });
    this.#gaps = [...others, { from, to, reason: gap.reason }].sort((a, b) => a.from - b.from);
  }

  forgetUpTo(seq: number): void {
    this.#gaps = this.#gaps.filter((gap) => gap.to > seq);
  }

  renumber(after: number, by: number): void {
    this.#gaps = this.#gaps.map((gap) => (gap.from > after ? { ...gap, from: gap.from + by, to: gap.to + by } : gap));
  }

  /** Explains a hole: the known reasons, and CORRUPT for numbers nobody gave up knowingly. */
  explain(from: number, to: number): SpoolGap[] {
    const explained: SpoolGap[] = [];
    let next = from;
    for (const gap of this.#gaps) {
      if (gap.to < next || gap.from > to) continue;
      if (gap.from > next) explained.push({ from: next, to: gap.from - 1, reason: "CORRUPT" });
      explained.push({ from: Math.max(next, gap.from), to: Math.min(to, gap.to), reason: gap.reason });
      next = Math.min(to, gap.to) + 1;
    }
    if (next <= to) explained.push({ from: next, to, reason: "CORRUPT" });
    return explained;
  }
}
