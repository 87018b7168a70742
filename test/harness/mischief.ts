/** What a proxy does to single messages of graphql-transport-ws. */
export interface Mischief {
  /** Probability that a mutation is sent twice, and that a page or session message arrives twice. */
  repeat: number;
  /** Probability that a mutation is overtaken by the next message. */
  overtake: number;
  /** Messages to the client that are kept in `kept` instead of delivered. */
  keepBack(text: string): boolean;
  kept: (() => void)[];
}

interface Paths {
  toServer(text: string): void;
  toClient(text: string): void;
}

/** How long a message that is to be overtaken waits for one that does. */
const OVERTAKEN_WITHIN_MS = 50;
const COPY = "copy-";
/** What the protocol allows to arrive twice. */
const REPEATABLE = /"(agentSession|incidentEvents)":/;

/** One connection's share: every message goes through here, and on to `paths` once, twice, later, or not at all. */
export function meddle(mischief: Mischief, random: () => number, { toServer, toClient }: Paths) {
  let overtaken: string | undefined;
  const release = () => {
    if (overtaken !== undefined) toServer(overtaken);
    overtaken = undefined;
  };
  return {
    fromClient(text: string): void {
      const isMutation = text.includes('"type":"subscribe"') && text.includes('"query":"mutation');
      if (isMutation && overtaken === undefined && random() < mischief.overtake) {
        overtaken = text;
        setTimeout(release, OVERTAKEN_WITHIN_MS);
        return;
      }
      toServer(text);
      release();
      // As a client would that has not heard the answer: a new operation with the same content.
      if (isMutation && random() < mischief.repeat) {
        const message = JSON.parse(text) as { id: string };
        toServer(JSON.stringify({ ...message, id: `${COPY}${message.id}` }));
      }
    },
    fromServer(text: string): void {
      if (text.includes(`"id":"${COPY}`)) return;
      if (mischief.keepBack(text)) return void mischief.kept.push(() => toClient(text));
      toClient(text);
      if (REPEATABLE.test(text) && random() < mischief.repeat) toClient(text);
    },
  };
}
