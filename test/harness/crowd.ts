import { setTimeout as sleep } from "node:timers/promises";
import {
  type Client,
  CreateProbeDocument,
  createClient,
  type PoppoError,
  RaiseIncidentDocument,
  type SocketOptions,
  unwrap,
} from "@poppo-ops/client";
import type { Result } from "@poppo-ops/plugins/wire";
import { expect } from "vitest";
import { DatabaseRecord } from "./database-record.js";
import { EventRecorder } from "./event-recorder.js";
import { ADMIN_TOKEN } from "./server-process.js";
import { SimulatedAgent } from "./simulated-agent.js";

/** What one agent may have reported and not heard of. */
const UNACKNOWLEDGED = 1000;
const IMPATIENT_MS = 5000;
/** Of as many subscribers one follows everything, the others incidents only. */
const CURIOUS = 20;

export interface CrowdOptions extends Pick<SocketOptions, "random" | "keepAliveMs"> {
  agents: number;
  subscribers: number;
  /** Between two batches of one agent. */
  everyMs: number;
  /** Results in a batch. */
  batch: number;
  /** Of as many agents one changes its state in a round. */
  changing: number;
}

interface Place {
  url: string;
  client: Client;
  database: { url: string };
}

/** Many agents that report and many subscribers that listen, and what they must have been told in the end. */
export class Crowd implements AsyncDisposable {
  readonly recorders: EventRecorder[] = [];
  private readonly clients: Client[] = [];
  private readonly impatient: Client;
  private readonly stopping = new AbortController();
  private reporting: Promise<void> = Promise.resolve();
  private markers = 0;

  private constructor(
    private readonly place: Place,
    private readonly options: CrowdOptions,
    readonly record: DatabaseRecord,
    private readonly begin: string,
    readonly probeId: string,
    readonly agents: SimulatedAgent[],
  ) {
    this.impatient = createClient({ url: place.url, token: ADMIN_TOKEN, timeoutMs: IMPATIENT_MS });
  }

  /** Everybody is enrolled and connected, and results and events flow. */
  static async gather(place: Place, options: CrowdOptions): Promise<Crowd> {
    const { createProbe } = await place.client.request(CreateProbeDocument, {
      input: { name: "load", kind: "system.load", interval: "10s", rules: { attempts: 1, recoveries: 1 } },
    });
    const record = await DatabaseRecord.open(place.database.url);
    const agents = await SimulatedAgent.enrolMany(place.database.url, place.url, options.agents, "agent", options);
    const crowd = new Crowd(place, options, record, await record.cursor(), unwrap(createProbe).probe!.id, agents);
    await Promise.all(crowd.agents.map((agent) => agent.connect()));
    for (let i = 0; i < options.subscribers; i++) crowd.subscribe(i);
    crowd.reporting = crowd.report(crowd.stopping.signal);
    return crowd;
  }

  /** Every subscriber hears of something that happens now. */
  async everybodyHears(withinMs: number): Promise<void> {
    const title = `marker ${++this.markers}`;
    const id = await this.raise(title);
    await Promise.all(this.recorders.map((r) => r.find(title, ({ incidentId }) => incidentId === id, withinMs)));
  }

  /** And every agent is acknowledged something that it reports now. */
  async everybodyIsServed(withinMs: number): Promise<void> {
    const marks = this.agents.map(({ reported }) => reported);
    await this.everybodyHears(withinMs);
    await expect
      .poll(() => this.agents.filter(({ acked }, i) => acked <= marks[i]!).length, { timeout: withinMs, interval: 50 })
      .toBe(0);
  }

  /** Nobody reports any more, and everything is acknowledged. */
  async quiet(withinMs: number): Promise<void> {
    this.stopping.abort();
    await this.reporting;
    await expect
      .poll(() => this.agents.filter(({ acked, reported }) => acked < reported).length, { timeout: withinMs })
      .toBe(0);
  }

  /** Every result and every event reached its place once, and no agent was called down. */
  async expectNothingLost(): Promise<void> {
    await this.record.expectResultsOnce(this.agents);
    await this.record.expectWholeLog(this.begin, this.recorders);
    expect(await this.record.query("SELECT summary FROM events WHERE type = 'agent.down'")).toEqual([]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopping.abort();
    await this.reporting;
    await Promise.all(this.recorders.map((recorder) => recorder[Symbol.asyncDispose]()));
    await Promise.all([...this.clients, ...this.agents].map((peer) => peer.close()));
    await this.record[Symbol.asyncDispose]();
  }

  /** Tries until it is answered: the replica behind its idle connection may be the frozen one. */
  private async raise(title: string): Promise<string> {
    const input = { title, severity: "P3" as const, dedupKey: title };
    for (;;) {
      try {
        const { raiseIncident } = await this.impatient.request(RaiseIncidentDocument, { input });
        return unwrap(raiseIncident).incident!.id;
      } catch (error) {
        if (!(error as PoppoError).retryable) throw error;
      }
    }
  }

  private subscribe(number: number): void {
    const { random, keepAliveMs } = this.options;
    const client = createClient({ url: this.place.url, token: ADMIN_TOKEN, random, keepAliveMs });
    this.clients.push(client);
    const filter = number % CURIOUS === 0 ? undefined : { types: ["incident.*"] };
    this.recorders.push(new EventRecorder(client, this.begin, filter));
  }

  private async report(signal: AbortSignal): Promise<void> {
    for (let round = 0; !signal.aborted; round++) {
      this.agents.forEach((agent, i) => {
        if (agent.reported - agent.acked < UNACKNOWLEDGED) agent.report(this.batchOf(i, round));
      });
      await sleep(this.options.everyMs, undefined, { signal }).catch(() => {});
    }
  }

  private batchOf(agent: number, round: number): Result[] {
    const isItsTurn = (agent + (round >> 1)) % this.options.changing === 0;
    const status = isItsTurn && round % 2 === 0 ? "CRIT" : "OK";
    return Array.from({ length: this.options.batch }, (_, item) => ({
      probeId: this.probeId,
      item: `thing-${item}`,
      at: Date.now(),
      durationMs: 1,
      status: item === 0 ? status : "OK",
      summary: `it is ${status}`,
      metrics: { value: [round, "1"] },
      evidence: null,
    }));
  }
}
