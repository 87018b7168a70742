import { generateKeyPairSync, type KeyObject, randomUUID, sign } from "node:crypto";
import {
  AgentSessionDocument,
  type Client,
  CreateEnrolmentTokenDocument,
  createSocket,
  EnrolAgentDocument,
  ReportResultsDocument,
  type Socket,
  type SocketOptions,
  unwrap,
} from "@poppo-ops/client";
import { encodeResultBatch, type Result } from "@poppo-ops/plugins/wire";
import { openSql } from "./sql.js";

const base64url = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

const BATCH = 100;
/** As long as a real agent waits for an answer. */
const ANSWER_WITHIN_MS = 60_000;
/** How long a simulated agent waits before it tries again. */
const AGAIN_MS = 200;

type ConnectOptions = Pick<SocketOptions, "random" | "keepAliveMs">;

/** Everything an agent is to the server, over the real protocol, without a host: for scenarios with many. */
export class SimulatedAgent {
  readonly epoch = randomUUID();
  /** The last result the server acknowledged. */
  acked = 0;
  /** Batches under way at most. A real agent keeps to what the server asks for; more is a flood. */
  window = 1;
  private readonly spool = new Map<number, Result>();
  private next = 1;
  private sent = 0;
  private inFlight = 0;
  private failed = false;
  private closed = false;
  private readonly waiting: (() => void)[] = [];
  private stop = () => {};
  readonly socket: Socket;
  /** Told of every command, also of one that comes again. */
  onCommand: (command: { id: string; payload: string }) => void = () => {};

  private constructor(
    url: string,
    readonly id: string,
    readonly name: string,
    private readonly key: KeyObject,
    options: ConnectOptions,
  ) {
    this.socket = createSocket({
      url,
      connectionParams: () => ({ agent: { id, assertion: this.assertion() } }),
      random: () => 0.1,
      ...options,
    });
  }

  static async enrol(client: Client, url: string, name: string, options: ConnectOptions = {}): Promise<SimulatedAgent> {
    const { createEnrolmentToken } = await client.request(CreateEnrolmentTokenDocument, {
      input: { namePattern: name },
    });
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const { enrolAgent } = await client.request(EnrolAgentDocument, {
      input: {
        token: unwrap(createEnrolmentToken).token!,
        name,
        publicKey: publicKey.export({ format: "jwk" }),
        facts: {},
        version: "simulated",
      },
    });
    return new SimulatedAgent(url, unwrap(enrolAgent).agent!.id, name, privateKey, options);
  }

  /** Enrols by SQL, because thousands of enrolments take longer than what is to be measured with them. */
  static async enrolMany(
    databaseUrl: string,
    url: string,
    count: number,
    prefix: string,
    options: ConnectOptions = {},
  ): Promise<SimulatedAgent[]> {
    const enrolled = Array.from({ length: count }, (_, i) => ({
      id: randomUUID(),
      name: `${prefix}-${i}`,
      ...generateKeyPairSync("ed25519"),
    }));
    await using sql = await openSql(databaseUrl);
    await sql.query(
      `WITH enrolled AS (
         INSERT INTO agents (id, name, public_key, version)
         SELECT *, 'simulated' FROM unnest($1::uuid[], $2::text[], $3::jsonb[]) RETURNING id)
       INSERT INTO agent_sessions (agent_id) SELECT id FROM enrolled`,
      [
        enrolled.map(({ id }) => id),
        enrolled.map(({ name }) => name),
        enrolled.map(({ publicKey }) => JSON.stringify(publicKey.export({ format: "jwk" }))),
      ],
    );
    return enrolled.map(({ id, name, privateKey }) => new SimulatedAgent(url, id, name, privateKey, options));
  }

  /** Holds a session until `close`, and goes on from the server's high-water mark after every reconnect. */
  connect(): Promise<void> {
    return new Promise((resolve) => {
      this.stop = this.socket.subscribe(
        AgentSessionDocument,
        {},
        {
          next: ({ agentSession }) => {
            if (agentSession.ackedEpoch === this.epoch && agentSession.ackedSeq)
              this.acknowledge(Number(agentSession.ackedSeq));
            resolve();
            for (const command of agentSession.commands) this.onCommand(command);
            this.flush();
          },
          error: () => this.reconnect(),
          complete: () => this.reconnect(),
        },
      );
    });
  }

  /** Appends to the spool and sends what is there; like a real agent it forgets only what was acknowledged. */
  report(results: Result[]): void {
    for (const result of results) this.spool.set(this.next++, result);
    this.flush();
  }

  /** Resolves with the next acknowledgement. */
  acknowledged(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  get reported(): number {
    return this.next - 1;
  }

  async close(): Promise<void> {
    this.closed = true;
    this.stop();
    await this.socket.close();
  }

  private reconnect(): void {
    if (!this.closed) setTimeout(() => void this.connect(), AGAIN_MS);
  }

  private flush(): void {
    while (!this.closed && !this.failed && this.inFlight < this.window && this.sent < this.reported) {
      const from = this.sent + 1;
      this.sent = Math.min(this.reported, this.sent + BATCH);
      this.inFlight++;
      void this.deliver(from, this.sent);
    }
  }

  /** When one fails, everything behind the last acknowledged result is sent again, once what is under way has ended. */
  private async deliver(from: number, to: number): Promise<void> {
    await this.send(from, to).catch(() => {
      this.failed = true;
    });
    this.inFlight--;
    if (!this.failed) this.flush();
    else if (this.inFlight === 0) setTimeout(() => this.startOver(), AGAIN_MS);
  }

  private startOver(): void {
    this.failed = false;
    this.sent = this.acked;
    this.flush();
  }

  private async send(from: number, to: number): Promise<void> {
    const results = Array.from({ length: to - from + 1 }, (_, i) => this.spool.get(from + i));
    // Acknowledged meanwhile, by the first message of a new session.
    if (results.includes(undefined)) throw new Error(`${from} to ${to} is not there any more`);
    const batch = encodeResultBatch({ epoch: this.epoch, from, results: results as Result[], gaps: [] });
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    const { reportResults } = await this.socket.execute(ReportResultsDocument, { batch }, { signal });
    this.acknowledge(Number(reportResults.ackedSeq));
  }

  private acknowledge(seq: number): void {
    for (let i = this.acked + 1; i <= seq; i++) this.spool.delete(i);
    this.acked = Math.max(this.acked, seq);
    for (const resolve of this.waiting.splice(0)) resolve();
  }

  private assertion(): string {
    const now = Math.floor(Date.now() / 1000);
    const body = `${base64url({ alg: "EdDSA" })}.${base64url({ sub: this.id, aud: "poppo-ops", iat: now, exp: now + 50, jti: randomUUID() })}`;
    return `${body}.${sign(null, Buffer.from(body), this.key).toString("base64url")}`;
  }
}
