import { MAX_PAGE } from "../graphql/max-page.js";
import { PulledStream } from "../graphql/pulled-stream.js";
import type { App } from "../kernel/app.js";
import type { ProbeStateRow } from "./probe.table.js";
import { findProbeStates, type ProbeStateConditions } from "./probe-state.query.js";

const POLL_MS = 1000;
/** However fast states change, the table is read at most this often. */
const PACE_MS = 200;

/** One subscription to states. It remembers what it was given of each thing, so it is given nothing twice. */
class StateReader extends PulledStream<ProbeStateRow[]> {
  private given: Map<string, string> | undefined;

  offer(states: ProbeStateRow[]): void {
    if (!this.isWaiting) return;
    const known = this.given;
    const news = known ? states.filter((state) => known.get(keyOf(state)) !== stampOf(state)) : states;
    if (known && news.length === 0) return;
    this.given = new Map(states.map((state) => [keyOf(state), stampOf(state)]));
    this.give(news);
  }
}

const keyOf = ({ agentId, probeId, item }: ProbeStateRow): string => `${agentId} ${probeId} ${item}`;
const stampOf = ({ lastAt, status, hardStatus, reporting, incidentId }: ProbeStateRow): string =>
  `${lastAt.getTime()} ${status} ${hardStatus} ${reporting} ${incidentId}`;

/** The readers of one filter share one look at the table: when a hint says that a status changed, and once a second. */
class StateFeed {
  private readonly readers = new Set<StateReader>();
  private bell = new AbortController();
  private serving = false;

  constructor(
    private readonly app: App,
    private readonly filter: ProbeStateConditions,
    private readonly onIdle: () => void,
  ) {}

  join(): StateReader {
    const reader = new StateReader({
      asks: () => this.bell.abort(),
      leaves: () => {
        this.readers.delete(reader);
        this.bell.abort();
      },
    });
    this.readers.add(reader);
    if (!this.serving) void this.serve();
    return reader;
  }

  private async serve(): Promise<void> {
    this.serving = true;
    const { hints, clock } = this.app;
    const stopHints = hints.subscribe((topic) => topic === "states" && this.bell.abort());
    while (this.readers.size > 0) {
      this.bell = new AbortController();
      const { signal } = this.bell;
      await this.look();
      await clock.sleep(PACE_MS);
      await clock.sleep(POLL_MS - PACE_MS, signal);
    }
    stopHints();
    this.serving = false;
    this.onIdle();
  }

  private async look(): Promise<void> {
    try {
      const { nodes } = await findProbeStates(this.app.database.db, this.filter, { first: MAX_PAGE });
      for (const reader of this.readers) reader.offer(nodes);
    } catch (error) {
      this.app.log.warn({ err: error }, "probe states cannot be read; trying again");
    }
  }
}

const feeds = new WeakMap<App, Map<string, StateFeed>>();

/** Where what the filter chooses stands, and then what is new, for ever. */
export function followStates(app: App, { agentIds, probeIds, statuses }: ProbeStateConditions): StateReader {
  const filter = { agentIds, probeIds, statuses };
  const key = JSON.stringify(filter);
  const ofApp = feeds.get(app) ?? new Map<string, StateFeed>();
  feeds.set(app, ofApp);
  const feed = ofApp.get(key) ?? new StateFeed(app, filter, () => ofApp.delete(key));
  ofApp.set(key, feed);
  return feed.join();
}
