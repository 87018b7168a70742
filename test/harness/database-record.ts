import { expect } from "vitest";
import type { EventRecorder } from "./event-recorder.js";
import type { SimulatedAgent } from "./simulated-agent.js";
import { openSql, type Sql } from "./sql.js";

/** What the database holds, read beside the product: the measure of what agents and subscribers were told. */
export class DatabaseRecord implements AsyncDisposable {
  readonly query: Sql["query"];

  private constructor(private readonly sql: Sql) {
    this.query = sql.query;
  }

  static async open(url: string): Promise<DatabaseRecord> {
    return new DatabaseRecord(await openSql(url));
  }

  /** Where the event log stands now, as a cursor. */
  async cursor(): Promise<string> {
    const [head] = await this.query<{ epoch: string; head: string }>("SELECT epoch, head FROM event_head");
    return Buffer.from(`v1:${head!.epoch}:${head!.head}`).toString("base64url");
  }

  /** Every result these agents reported is stored, once. */
  async expectResultsOnce(agents: SimulatedAgent[]): Promise<void> {
    const stored = await this.query<{ agent: string; rows: number; seqs: number; last: number }>(
      `SELECT agent_id AS agent, count(*)::int AS rows, count(DISTINCT seq)::int AS seqs, max(seq)::int AS last
       FROM probe_results GROUP BY agent_id`,
    );
    expect(new Map(stored.map((row) => [row.agent, row]))).toEqual(
      new Map(agents.map(({ id, reported }) => [id, { agent: id, rows: reported, seqs: reported, last: reported }])),
    );
  }

  /** The log has no hole after `cursor`, and each subscriber saw what its filter lets through, once and in order. */
  async expectWholeLog(cursor: string, recorders: EventRecorder[]): Promise<void> {
    const from = seqOf(cursor);
    const log = await this.query<{ seq: number; type: string }>(
      "SELECT seq::int, type FROM events WHERE seq > $1 ORDER BY seq",
      [from],
    );
    expect(log.map(({ seq }) => seq)).toEqual(log.map((_, i) => from + 1 + i));
    for (const recorder of recorders) {
      const types = recorder.filter?.types?.map((type) => type.replace(/\*$/, ""));
      const visible = types ? log.filter(({ type }) => types.some((start) => type.startsWith(start))) : log;
      const seen = recorder.events.map(({ cursor: at, type }) => ({ seq: seqOf(at), type }));
      expect(seen).toEqual(visible.slice(0, seen.length));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sql[Symbol.asyncDispose]();
  }
}

const seqOf = (cursor: string): number => Number(Buffer.from(cursor, "base64url").toString().split(":")[2]);
