import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { SimulatedAgent } from "../../harness/simulated-agent.js";
import type { Host } from "../processes.js";
import type { World } from "../world.js";
import type { Check } from "./check.js";

/** No acknowledged result is lost, none is there twice, none is another than the one that was sent. */
export const results: Check = async (world) => {
  // First what was acknowledged, then what is stored: so the world may go on meanwhile.
  const claims = world.crowd.map(({ id, name, acked }) => ({ id, name, acked }));
  const stored = await storedBy(world);
  const sent = new Map(world.crowd.map(({ id, reported }) => [id, reported]));
  const crowd = claims.map((claim) => ofCrowd({ ...claim, reported: sent.get(claim.id)! }, stored.get(claim.id)));
  const hosts = await Promise.all(world.hosts.map((host) => ofHost(host, world)));
  const rows = [...stored.values()].reduce((sum, one) => sum + one.rows, 0);
  const acked = claims.reduce((sum, claim) => sum + claim.acked, 0);
  return {
    verified: `${rows} results stored, ${acked} acknowledged to the crowd`,
    violations: [...crowd, ...hosts].flat(),
  };
};

interface Stored {
  agent: string;
  rows: number;
  seqs: number;
  last: number;
  wrong: number;
}

async function storedBy({ database, crowd }: World): Promise<Map<string, Stored>> {
  const rows = await database.query<Stored>(
    `SELECT r.agent_id AS agent, count(*)::int AS rows, count(DISTINCT seq)::int AS seqs, max(seq)::int AS last,
            count(*) FILTER (WHERE c.name IS NOT NULL AND summary <> c.name || ' result ' || seq)::int AS wrong
     FROM probe_results r LEFT JOIN unnest($1::uuid[], $2::text[]) c(id, name) ON c.id = r.agent_id GROUP BY 1`,
    [crowd.map(({ id }) => id), crowd.map(({ name }) => name)],
  );
  return new Map(rows.map((row) => [row.agent, row]));
}

function ofCrowd(
  { name, acked, reported }: Pick<SimulatedAgent, "name" | "acked" | "reported">,
  stored?: Stored,
): string[] {
  const { rows = 0, seqs = 0, last = 0, wrong = 0 } = stored ?? {};
  return [
    ...(acked > seqs ? [`${name}: ${acked} results were acknowledged, ${seqs} are stored`] : []),
    ...(rows !== seqs ? [`${name}: ${rows - seqs} results are stored twice`] : []),
    ...(seqs !== last ? [`${name}: results up to ${last} are stored, but only ${seqs} of them`] : []),
    ...(last > reported ? [`${name}: result ${last} is stored, and it has only sent ${reported}`] : []),
    ...(wrong > 0 ? [`${name}: ${wrong} results have another's content`] : []),
  ];
}

/** A real agent forgets what was acknowledged. So everything up to its mark is stored, or the agent itself gave it up. */
async function ofHost({ name, agent }: Host, { database }: World): Promise<string[]> {
  const own = await ownMark(agent.dataDir);
  const [mark] = await database.query<{ acked: number; epoch: string | null }>(
    "SELECT acked_seq::int AS acked, spool_epoch AS epoch FROM agent_sessions WHERE agent_id = $1",
    [agent.id],
  );
  if (!mark?.epoch) return [`${name}: the server knows nothing of its spool`];
  const missing = await database.query<{ seq: number }>(
    `SELECT seq FROM generate_series(1, $2::int) seq
     WHERE NOT EXISTS (SELECT FROM probe_results r WHERE r.agent_id = $1 AND r.seq = seq.seq)
       AND NOT EXISTS (SELECT FROM spool_gaps g WHERE g.agent_id = $1 AND g.epoch = $3 AND seq BETWEEN g.from_seq AND g.to_seq)`,
    [agent.id, mark.acked, mark.epoch],
  );
  const doubled = await database.query<{ seq: number }>(
    "SELECT seq::int FROM probe_results WHERE agent_id = $1 GROUP BY seq HAVING count(*) > 1",
    [agent.id],
  );
  return [
    ...missing.map(({ seq }) => `${name}: result ${seq} was acknowledged, is not stored, and was not given up`),
    ...doubled.map(({ seq }) => `${name}: result ${seq} is stored twice`),
    ...own
      .filter(({ epoch }) => epoch !== mark.epoch)
      .map(({ epoch }) => `${name}: its spool is ${epoch}, the server knows ${mark.epoch}`),
    ...own
      .filter(({ acked }) => acked > mark.acked)
      .map(({ acked }) => `${name}: was told that ${acked} is stored, the server's mark is ${mark.acked}`),
  ];
}

/** What the agent believes to be acknowledged. */
async function ownMark(dataDir: string): Promise<{ epoch: string; acked: number }[]> {
  const epochs = await readdir(join(dataDir, "spool"));
  const marks = await Promise.all(
    epochs.map((epoch) => readFile(join(dataDir, "spool", epoch, "mark.json"), "utf8").catch(() => undefined)),
  );
  return epochs.flatMap((epoch, i) => (marks[i] ? { epoch, acked: JSON.parse(marks[i]).acked } : []));
}
