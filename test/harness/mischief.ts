/** What a proxy does to single messages of graphql-transport-ws. */
export interface Mischief {
  /** Probability that a mutation is sent twice, and that a page or session message arrives twice. */
  repeat: number;
  /** Probability that a mutation is overtaken by the next one. */
  overtake: number;
  /** Messages to the client that are kept in `kept` instead of delivered. */
  keepBack(text: string): boolean;
  kept: (() => void)[];
  /** How often it really happened. */
  readonly done: MischiefDone;
}

export interface MischiefDone {
  /** By the name of the operation, as `ReportResults`. */
  doubledToServer: Map<string, number>;
  overtaken: Map<string, number>;
  /** By the name of the field, as `incidentEvents`. */
  doubledToClient: Map<string, number>;
}

interface Paths {
  toServer(text: string): void;
  toClient(text: string): void;
}

/** How long a message that is to be overtaken waits for one that does. */
const OVERTAKEN_WITHIN_MS = 200;
const COPY = "copy-";
/** What the protocol allows to arrive twice. */
const REPEATABLE = /"(agentSession|incidentEvents)":/;

export const noMischief = (): Mischief => ({
  ...{ repeat: 0, overtake: 0, keepBack: () => false, kept: [] },
  done: { doubledToServer: new Map(), overtaken: new Map(), doubledToClient: new Map() },
});

/** One connection's share: every message goes through here, and on to `paths` once, twice, later, or not at all. */
export function meddle(mischief: Mischief, random: () => number, { toServer, toClient }: Paths) {
  let overtaken: { text: string; name: string } | undefined;
  const release = () => {
    if (overtaken) toServer(overtaken.text);
    overtaken = undefined;
  };
  return {
    fromClient(text: string): void {
      const name = mutationOf(text);
      if (!name) {
        // Nothing overtakes the operation it belongs to.
        release();
        toServer(text);
        return;
      }
      if (!overtaken && random() < mischief.overtake) {
        overtaken = { text, name };
        setTimeout(release, OVERTAKEN_WITHIN_MS);
        return;
      }
      toServer(text);
      if (overtaken) count(mischief.done.overtaken, overtaken.name);
      release();
      if (random() >= mischief.repeat) return;
      count(mischief.done.doubledToServer, name);
      toServer(copyOf(text));
    },
    fromServer(text: string): void {
      if (text.includes(`"id":"${COPY}`)) return;
      if (mischief.keepBack(text)) return void mischief.kept.push(() => toClient(text));
      toClient(text);
      const [, field] = REPEATABLE.exec(text) ?? [];
      if (!field || random() >= mischief.repeat) return;
      count(mischief.done.doubledToClient, field);
      toClient(text);
    },
  };
}

/** The name of the mutation that a message asks for. */
function mutationOf(text: string): string | undefined {
  const { type, payload } = JSON.parse(text) as { type: string; payload?: { query: string } };
  return type === "subscribe" ? /^\s*mutation\s+(\w+)/.exec(payload!.query)?.[1] : undefined;
}

/** As a client would that has not heard the answer: a new operation with the same content. */
function copyOf(text: string): string {
  const message = JSON.parse(text) as { id: string };
  return JSON.stringify({ ...message, id: `${COPY}${message.id}` });
}

const count = (counts: Map<string, number>, name: string) => counts.set(name, (counts.get(name) ?? 0) + 1);
