export interface HintBatch {
  add(topic: string): void;
  /** Resolves when nothing is under way. */
  idle(): Promise<void>;
}

/** Topics that come together in a turn of the event loop go out together, each once. A batch that fails is lost. */
export function hintBatch(
  send: (topics: string[]) => Promise<void> | void,
  onLost: (error: unknown) => void,
): HintBatch {
  let topics = new Set<string>();
  let sending: Promise<void> | null = null;
  const sendAll = async () => {
    await new Promise((resolve) => setImmediate(resolve));
    while (topics.size > 0) {
      const batch = [...topics];
      topics = new Set();
      await send(batch);
    }
  };
  return {
    add(topic) {
      topics.add(topic);
      sending ??= sendAll()
        .catch(onLost)
        .finally(() => {
          sending = null;
        });
    },
    async idle() {
      await sending;
    },
  };
}

/** The topics a line each, in as many payloads as the bus needs; every payload begins with `first`, where it is given. */
export function* payloads(topics: string[], maxLength: number, first = ""): Iterable<string> {
  let payload = first;
  for (const topic of topics) {
    if (payload.length + topic.length + 1 > maxLength) {
      yield payload;
      payload = first;
    }
    payload += payload ? `\n${topic}` : topic;
  }
  yield payload;
}
