import { generateKeyPairSync, type KeyObject, randomUUID, sign } from "node:crypto";
import {
  AgentSessionDocument,
  type Client,
  CreateEnrolmentTokenDocument,
  createSocket,
  EnrolAgentDocument,
  ReportResultsDocument,
  type Socket,
  unwrap,
} from "@poppo-ops/client";
import { encodeResultBatch, type Result } from "@poppo-ops/plugins/wire";

const base64url = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** Everything an agent is to the server, over the real protocol, without a host: for scenarios with many. */
export class SimulatedAgent {
  readonly epoch = randomUUID();
  /** The last result the server acknowledged. */
  acked = 0;
  private readonly spool = new Map<number, Result>();
  private next = 1;
  private sending = false;
  private readonly waiting: (() => void)[] = [];
  private stop = () => {};
  private readonly socket: Socket;

  private constructor(
    url: string,
    readonly id: string,
    private readonly key: KeyObject,
  ) {
    this.socket = createSocket({
      url,
      connectionParams: () => ({ agent: { id, assertion: this.assertion() } }),
      random: () => 0.1,
    });
  }

  static async enrol(client: Client, url: string, name: string): Promise<SimulatedAgent> {
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
    return new SimulatedAgent(url, unwrap(enrolAgent).agent!.id, privateKey);
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
            void this.flush();
          },
          error: () => setTimeout(() => void this.connect(), 200),
          complete: () => void this.connect(),
        },
      );
    });
  }

  /** Appends to the spool and sends what is there; like a real agent it forgets only what was acknowledged. */
  report(results: Result[]): void {
    for (const result of results) this.spool.set(this.next++, result);
    void this.flush();
  }

  /** Resolves with the next acknowledgement. */
  acknowledged(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  get reported(): number {
    return this.next - 1;
  }

  async close(): Promise<void> {
    this.stop();
    await this.socket.close();
  }

  private async flush(): Promise<void> {
    if (this.sending) return;
    this.sending = true;
    try {
      while (this.acked < this.reported) await this.sendOne();
    } catch {
      // The connection is gone; the next session message flushes again.
    } finally {
      this.sending = false;
    }
  }

  private async sendOne(): Promise<void> {
    const from = this.acked + 1;
    const results = Array.from(
      { length: Math.min(100, this.reported - this.acked) },
      (_, i) => this.spool.get(from + i)!,
    );
    const { reportResults } = await this.socket.execute(ReportResultsDocument, {
      batch: encodeResultBatch({ epoch: this.epoch, from, results, gaps: [] }),
    });
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
