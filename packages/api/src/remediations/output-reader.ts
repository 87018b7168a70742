import type { OutputChunk } from "@poppo-ops/plugins/wire";
import { PulledStream } from "../graphql/pulled-stream.js";

/** Some output of a run in its order; `ended` on the last page. */
export interface OutputPage {
  chunks: OutputChunk[];
  ended: boolean;
}

/** One subscription to a run's output. */
export class OutputReader extends PulledStream<OutputPage> {
  constructor(
    /** The `seq` of the last chunk it was given. */
    public after: number,
    feed: { asks(): void; leaves(): void },
  ) {
    super(feed);
  }

  /** Takes what is new to it of a page. @returns false when that is nothing */
  offer({ chunks, ended }: OutputPage): boolean {
    const news = chunks.filter(({ seq }) => seq > this.after);
    if (!this.isWaiting || (news.length === 0 && !ended)) return false;
    this.after = news.at(-1)?.seq ?? this.after;
    this.give({ chunks: news, ended });
    if (ended) this.end();
    return true;
  }
}
