import type pg from "pg";
import { resolveMany } from "../incidents/incident.service.js";
import { OPEN } from "../incidents/incident.state.js";
import type { Act } from "../kernel/command.js";
import { AGENTS_SOURCE, ALERTMANAGER_SOURCE, PROBE_SOURCE } from "./sources.js";

/**
 * Resolves those of these incidents that are over. Who calls it has taken a cause away before, in the same transaction.
 * @param ids as the causes have them: one that was merged counts as what it was merged into
 */
export async function resolveOver(act: Act, ids: string[], resolution: string): Promise<void> {
  if (ids.length === 0) return;
  const over = await overIncidents(act.client, ids);
  if (over.size > 0) await resolveMany(act, [...new Set(over.values())], resolution);
}

/**
 * Which of these incidents are over: raised by something that also tells the end, still open, and nothing stands behind
 * them any more, neither a state, nor missing results, nor a firing alert, nor an agent that is down (the view
 * `incident_causes`). One that others were merged into stands for the causes of all of them. What a person or an integrator
 * raised is left to them.
 * @returns by each given id that is over, the open incident that stands for it
 */
export async function overIncidents(client: pg.PoolClient, ids: string[]): Promise<Map<string, string>> {
  const { standing, over } = await lookAt(client, ids);
  const mergedInto = [...standing.values()].filter((id) => !standing.has(id));
  if (mergedInto.length > 0) for (const id of (await lookAt(client, mergedInto)).over) over.add(id);
  return new Map([...standing].filter(([, id]) => over.has(id)));
}

async function lookAt(client: pg.PoolClient, ids: string[]) {
  // Two may take the last two causes of one incident at once: the second to lock it sees what the first one did.
  const locked = client.query<{ id: string; standing: string }>({ ...LOCK, values: [ids] });
  const found = client.query<{ id: string }>({ ...OVER, values: [ids] });
  const [{ rows }, { rows: over }] = await Promise.all([locked, found]);
  return {
    standing: new Map(rows.map((row) => [row.id, row.standing])),
    over: new Set(over.map(({ id }) => id)),
  };
}

const LOCK = {
  name: "lock_incidents",
  text: `SELECT id, coalesce(merged_into_id, id) AS standing FROM incidents i
    WHERE id = ANY($1::uuid[]) ORDER BY i.id FOR UPDATE`,
};

const OVER = {
  name: "over_incidents",
  text: `SELECT i.id FROM incidents i
    WHERE i.id = ANY($1::uuid[]) AND i.status IN ${OPEN}
      AND (i.source IN ('${PROBE_SOURCE}', '${AGENTS_SOURCE}') OR starts_with(i.source, '${ALERTMANAGER_SOURCE}'))
      AND NOT EXISTS (SELECT FROM incident_causes c WHERE c.incident_id = i.id)
      AND NOT EXISTS (
        SELECT FROM incidents m JOIN incident_causes c ON c.incident_id = m.id WHERE m.merged_into_id = i.id)`,
};
