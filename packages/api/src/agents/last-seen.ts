import type { Module } from "../engine/engine.js";
import type { App } from "../kernel/app.js";
import type { Watch } from "./watch.js";

/**
 * The liveness lane: signs of life are collected in memory and written for all agents in one statement, beside the results
 * and never behind them.
 */
export class LastSeen {
  private alive = new Set<string>();

  constructor(
    private readonly app: App,
    private readonly watch: Watch,
  ) {}

  note(agentId: string): void {
    this.alive.add(agentId);
  }

  module(everyMs: number): Module {
    return { name: "agents seen", batch: Number.POSITIVE_INFINITY, everyMs, step: () => this.write() };
  }

  private async write(): Promise<number> {
    const seen = this.alive;
    this.alive = new Set();
    try {
      // Rows that are locked belong to a flush of results, which notes the same.
      await this.app.database.pool.query(
        `UPDATE agent_sessions SET last_seen_at = now() WHERE agent_id IN (
           SELECT agent_id FROM agent_sessions WHERE agent_id = ANY($1::uuid[]) FOR UPDATE SKIP LOCKED)`,
        [[...seen]],
      );
      this.watch.wrote();
      return seen.size;
    } catch (error) {
      for (const id of seen) this.alive.add(id);
      this.watch.lost();
      throw error;
    }
  }
}
