/**
 * Handles together what comes together: at once when idle, and while one run is under way the next one gathers. One
 * statement for a storm, no delay for a single caller. Runs never overlap, so items are handled in the order they came.
 */
export class Gather<Item, Result> {
  private waiting: { item: Item; resolve(result: Result): void; reject(error: unknown): void }[] = [];
  private running: Promise<void> | null = null;

  /**
   * @param run handles items; resolves with one result, or one Error that refuses it, per item
   * @param weigh how much of `maxWeight`, the most of one run, an item takes
   */
  constructor(
    private readonly run: (items: Item[]) => Promise<(Result | Error)[]>,
    private readonly maxWeight = 1000,
    private readonly weigh: (item: Item) => number = () => 1,
  ) {}

  /** Rejects with what refused the item, or with what failed its whole run. */
  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      this.running ??= this.runDry();
    });
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await this.running;
  }

  private async runDry(): Promise<void> {
    // Whatever else is handled in this turn of the event loop comes along.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.waiting.length > 0) await this.handle(this.take());
    this.running = null;
  }

  private take() {
    let weight = 0;
    const end = this.waiting.findIndex(({ item }, i) => {
      weight += this.weigh(item);
      return i > 0 && weight > this.maxWeight;
    });
    return this.waiting.splice(0, end < 0 ? this.waiting.length : end);
  }

  private async handle(entries: ReturnType<typeof this.take>): Promise<void> {
    try {
      const results = await this.run(entries.map(({ item }) => item));
      entries.forEach(({ resolve, reject }, i) => {
        const result = results[i]!;
        if (result instanceof Error) reject(result);
        else resolve(result);
      });
    } catch (error) {
      for (const { reject } of entries) reject(error);
    }
  }
}
