import { createHash } from "node:crypto";
import type { Labels } from "../db/columns.js";
import type { App } from "../kernel/app.js";
import { type ProbeRow, probes } from "./probe.table.js";

export interface ProbeAssignment {
  probeId: string;
  name: string;
  kind: string;
  config: unknown;
  intervalMs: number;
  retryIntervalMs: number;
  maxAttempts: number;
  timeoutMs: number;
  version: number;
}

export interface Assignments {
  /** Equal when the probes and their versions are. */
  version: string;
  probes: ProbeAssignment[];
}

/** All probes, in this replica's memory: every batch of results and every session needs them. */
export class ProbeCatalogue {
  private byId = new Map<string, ProbeRow>();
  /** Changes with every probe that is made, changed or deleted. */
  fingerprint = "unread";

  constructor(private readonly app: App) {}

  get(id: string): ProbeRow | undefined {
    return this.byId.get(id);
  }

  /** Reads the probes again if any was made, changed or deleted. */
  async refresh(): Promise<void> {
    const { pool, db } = this.app.database;
    const { rows } = await pool.query<{ fingerprint: string }>(
      "SELECT coalesce(md5(string_agg(id::text || version, ',' ORDER BY id)), '') AS fingerprint FROM probes",
    );
    const { fingerprint } = rows[0]!;
    if (fingerprint === this.fingerprint) return;
    this.byId = new Map((await db.select().from(probes)).map((probe) => [probe.id, probe]));
    this.fingerprint = fingerprint;
  }

  /** The probes an agent is to run. */
  assignmentsFor(agent: { name: string; labels: Labels }): Assignments {
    const assigned = [...this.byId.values()].filter((probe) => probe.enabled && selects(probe.agentSelector, agent));
    const hash = createHash("sha1");
    for (const { id, version } of assigned) hash.update(`${id} ${version}\n`);
    return { version: hash.digest("hex"), probes: assigned.map(assignmentOf) };
  }
}

/** Every label of the selector is the agent's; its name counts as the label `name`. */
export const selects = (selector: Labels, { name, labels }: { name: string; labels: Labels }): boolean =>
  Object.entries(selector).every(([key, value]) => (key === "name" ? name : labels[key]) === value);

const assignmentOf = (probe: ProbeRow): ProbeAssignment => ({
  probeId: probe.id,
  name: probe.name,
  kind: probe.kind,
  config: probe.config,
  intervalMs: probe.intervalMs,
  retryIntervalMs: probe.retryIntervalMs,
  maxAttempts: probe.rules.attempts,
  timeoutMs: probe.timeoutMs,
  version: probe.version,
});

/** After this long without a result the probe does not report any more. The SQL of `missing-results.ts` says the same. */
export const reportingDeadlineMs = ({ intervalMs, timeoutMs }: ProbeRow): number =>
  Math.max(3 * intervalMs, intervalMs + timeoutMs + 10_000);
