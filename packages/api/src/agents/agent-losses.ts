import { OPEN } from "../incidents/incident.state.js";
import { type NewIncident, raiseMany } from "../incidents/raise.js";
import type { Act } from "../kernel/command.js";
import { newId } from "../kernel/ids.js";
import { resolveOver } from "../signals/over-incidents.js";
import { AGENTS_SOURCE } from "../signals/sources.js";

/** From so many on, and from this share of all enrolled, it is one loss with one cause: a network, a site, ourselves. */
const MASS_COUNT = 5;
const MASS_SHARE = 0.2;
/** Agents that went silent within this time of each other went together. Milliseconds. */
const TOGETHER_MS = 300_000;
const MASS_KEY = "agents-down:mass:";

interface Named {
  id: string;
  name: string;
}

export interface Lost extends Named {
  /** When it was last heard of. */
  since: Date;
}

export interface Returned extends Named {
  /** The incident that was raised when it went; null for one of before there were any. */
  incidentId: string | null;
}

/** An agent that is down, and the incident of a common loss that stands for it. */
interface Down extends Lost {
  incidentId: string | null;
  massKey: string | null;
}

/**
 * Raises an incident for each agent that went down, or one for many that went together: at least 5, and 20 % of all
 * enrolled. Those that had their own are then part of the common one. An incident that a person resolves stays resolved
 * until its agent was up again; one that is not coming back is revoked.
 */
export async function raiseLosses(act: Act, downed: Lost[]): Promise<void> {
  if (downed.length === 0) return;
  const { enrolled, together } = await whoWentWith(act, downed);
  const incidentOf = isMass(together.length, enrolled)
    ? await raiseTogether(act, together, enrolled)
    : await raiseEach(act, downed);
  for (const { id, name } of downed)
    act.emit({
      type: "agent.down",
      summary: `Agent "${name}" went silent`,
      incidentId: incidentOf.get(id)!,
      payload: { agentId: id },
    });
}

/** When few of a common loss are left it is over, and each of them gets an incident of its own. */
export async function splitSmallLosses(act: Act): Promise<void> {
  const { rows } = await act.client.query<{ incidentId: string; enrolled: number; left: Named[] }>(
    `SELECT own.id AS "incidentId", ${ENROLLED} AS enrolled,
       jsonb_agg(jsonb_build_object('id', a.id, 'name', a.name) ORDER BY a.name) AS left
     FROM agents a JOIN incidents own ON own.id = a.down_incident_id AND starts_with(own.dedup_key, $1)
     JOIN incidents i ON i.id = coalesce(own.merged_into_id, own.id) AND i.status IN ${OPEN}
     WHERE a.status = 'DOWN' GROUP BY own.id`,
    [MASS_KEY],
  );
  const small = rows.filter(({ left, enrolled }) => !isMass(left.length, enrolled));
  if (small.length === 0) return;
  await raiseEach(
    act,
    small.flatMap(({ left }) => left),
  );
  const over = small.map(({ incidentId }) => incidentId);
  await resolveOver(act, over, "Fewer agents are down; those that are left have an incident each");
}

export async function resolveReturned(act: Act, upped: Returned[]): Promise<void> {
  for (const { id, name, incidentId } of upped)
    act.emit({ type: "agent.up", summary: `Agent "${name}" is back`, incidentId, payload: { agentId: id } });
  const incidentIds = new Set(upped.flatMap(({ incidentId }) => incidentId ?? []));
  await resolveOver(act, [...incidentIds], "What was down is back");
}

const isMass = (count: number, enrolled: number): boolean => count >= MASS_COUNT && count >= enrolled * MASS_SHARE;

const ENROLLED = "(SELECT count(*)::int FROM agents WHERE revoked_at IS NULL)";

/** Everybody who is down and went silent not long before the first of these. */
async function whoWentWith({ client }: Act, downed: Lost[]): Promise<{ enrolled: number; together: Down[] }> {
  const first = Math.min(...downed.map(({ since }) => since.getTime()));
  const { rows } = await client.query<Down & { enrolled: number }>(
    `SELECT a.id, a.name, a.down_since AS since, a.down_incident_id AS "incidentId", ${ENROLLED} AS enrolled,
       CASE WHEN starts_with(i.dedup_key, $2) AND (i.status IN ${OPEN} OR i.status = 'MERGED')
         THEN i.dedup_key END AS "massKey"
     FROM agents a LEFT JOIN incidents i ON i.id = a.down_incident_id
     WHERE a.status = 'DOWN' AND a.down_since >= $1 ORDER BY a.name`,
    [new Date(first - TOGETHER_MS), MASS_KEY],
  );
  return { enrolled: rows[0]!.enrolled, together: rows };
}

/** One for all: the one that some of them have already, or a new one. */
async function raiseTogether(act: Act, together: Down[], enrolled: number): Promise<Map<string, string>> {
  const key = together.find(({ massKey }) => massKey)?.massKey ?? `${MASS_KEY}${newId()}`;
  const [raised] = await raiseMany(act, [massIncident(together, enrolled, key)]);
  const incidentOf = new Map(together.map(({ id }) => [id, raised!.incident.id]));
  await link(act, incidentOf);
  const before = new Set(together.flatMap(({ incidentId }) => incidentId ?? []));
  before.delete(raised!.incident.id);
  await resolveOver(act, [...before], "Many agents are down at once: they have one incident together");
  return incidentOf;
}

async function raiseEach(act: Act, agents: Named[]): Promise<Map<string, string>> {
  const raised = await raiseMany(act, agents.map(downIncident));
  const incidentOf = new Map(agents.map(({ id }, i) => [id, raised[i]!.incident.id]));
  await link(act, incidentOf);
  return incidentOf;
}

async function link({ client }: Act, incidentOf: Map<string, string>): Promise<void> {
  await client.query(
    `UPDATE agents a SET down_incident_id = g.incident_id FROM unnest($1::uuid[], $2::uuid[]) g(id, incident_id)
     WHERE a.id = g.id`,
    [[...incidentOf.keys()], [...incidentOf.values()]],
  );
}

const downIncident = ({ id, name }: Named): NewIncident => ({
  title: `Agent ${name} is down`,
  description: "It was silent for too long: the host, its network or the agent process. What it watches is not seen.",
  severity: "P2",
  category: "MONITORING",
  dedupKey: `agent-down:${id}`,
  source: AGENTS_SOURCE,
  evidence: { agent: name, agentId: id },
});

const massIncident = (down: Named[], enrolled: number, dedupKey: string): NewIncident => ({
  title: `${down.length} of ${enrolled} agents are down`,
  description: "So many at once have one cause: a network, a site, or this server's own connection.",
  severity: "P1",
  category: "MONITORING",
  dedupKey,
  source: AGENTS_SOURCE,
  evidence: { count: down.length, enrolled, agents: down.slice(0, 50).map(({ name }) => name) },
});
