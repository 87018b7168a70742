import { and, eq, type SQL, sql } from "drizzle-orm";
import { agents } from "../agents/agent.table.js";
import { type ProbeRow, probeState, probes } from "../agents/probe.table.js";
import { withItem } from "../agents/with-item.js";
import type { Db } from "../db/database.js";
import { OPEN_STATUSES } from "../incidents/incident.state.js";
import { type IncidentRow, incidents } from "../incidents/incident.table.js";
import { AppError } from "../kernel/app-error.js";
import { badInput } from "../kernel/command.js";
import { type Remedy, resolveRemedy } from "./remediation-kind.js";

/** What a run is about: where it acts, and what will tell whether it helped. */
export interface Subject {
  agent: { id: string; name: string; isConnected: boolean };
  probeId: string | null;
  item: string;
  incidentId: string | null;
}

export interface Request {
  incidentId?: string;
  agentId?: string;
  probeId?: string;
  kind?: string;
  input?: Record<string, unknown>;
}

/**
 * Finds what a request is about: from the incident through the probe state that raised it, or from agent and probe.
 * @throws {AppError} NOT_FOUND, CONFLICT, BAD_INPUT: what is missing or ambiguous, and what to give
 */
export async function findSubject(db: Db, request: Request): Promise<{ subject: Subject; remedy: Remedy }> {
  const incident = request.incidentId ? await openIncident(db, request.incidentId) : null;
  const watched = await findWatched(db, request, incident);
  const agentId = watched?.agentId ?? request.agentId;
  if (!agentId)
    throw badInput([
      {
        field: "agentId",
        message: incident
          ? `incident #${incident.number} was not raised by a probe; say where to act`
          : "give an incidentId, or the agentId where to act",
      },
    ]);
  const agent = await findAgent(db, agentId);
  const probe = watched?.probe ?? (request.probeId ? await findProbe(db, request.probeId) : null);
  const item = watched?.item ?? "";
  const kind = request.kind ?? probe?.remediation?.kind;
  if (!kind)
    throw badInput([
      {
        field: "kind",
        message: probe ? `probe "${probe.name}" names no remediation; give kind and input` : "give kind and input",
      },
    ]);
  const ownInput = probe?.remediation?.kind === kind ? probe.remediation.input : {};
  const remedy = resolveRemedy(kind, withItem(request.input ?? ownInput, item));
  return { subject: { agent, probeId: probe?.id ?? null, item, incidentId: incident?.id ?? null }, remedy };
}

async function openIncident(db: Db, id: string): Promise<IncidentRow> {
  const [incident] = await db.select().from(incidents).where(eq(incidents.id, id));
  if (!incident) throw new AppError("NOT_FOUND", `There is no incident ${id}.`, { field: "incidentId" });
  if ((OPEN_STATUSES as readonly string[]).includes(incident.status)) return incident;
  throw new AppError("CONFLICT", `Incident #${incident.number} is ${incident.status}; there is nothing to fix.`, {
    field: "incidentId",
    status: incident.status,
  });
}

interface Watched {
  agentId: string;
  item: string;
  probe: ProbeRow;
}

/** The one probed thing that is meant; null when no probe watches. */
async function findWatched(db: Db, request: Request, incident: IncidentRow | null): Promise<Watched | null> {
  if (!incident && !(request.agentId && request.probeId)) return null;
  const found = await db
    .select({ agentId: probeState.agentId, item: probeState.item, probe: probes, agentName: agents.name })
    .from(probeState)
    .innerJoin(probes, eq(probes.id, probeState.probeId))
    .innerJoin(agents, eq(agents.id, probeState.agentId))
    .where(
      and(
        incident ? raised(incident.id) : undefined,
        request.agentId ? eq(probeState.agentId, request.agentId) : undefined,
        request.probeId ? eq(probeState.probeId, request.probeId) : undefined,
      ),
    )
    .orderBy(agents.name, probes.name, probeState.item)
    .limit(10);
  if (found.length <= 1) return found[0] ?? null;
  const things = found.map(({ agentName, probe, item }) => `${probe.name} ${item} on ${agentName}`.replace("  ", " "));
  const about = incident ? `incident #${incident.number} is about` : "this probe watches";
  throw badInput([
    {
      field: incident ? "agentId" : "incidentId",
      message: `${about} more than one thing (${things.join(", ")}); ${incident ? "narrow it by agentId and probeId" : "name the incident of the one that fails"}`,
    },
  ]);
}

/** By the incident itself, or by one that was merged into it. */
const raised = (incidentId: string): SQL =>
  sql`${probeState.incidentId} in (select ${incidents.id} from ${incidents}
      where ${incidents.id} = ${incidentId} or ${incidents.mergedIntoId} = ${incidentId})`;

async function findAgent(db: Db, id: string): Promise<Subject["agent"]> {
  const [agent] = await db.select().from(agents).where(eq(agents.id, id));
  if (!agent) throw new AppError("NOT_FOUND", `There is no agent ${id}.`, { field: "agentId" });
  if (agent.status === "REVOKED")
    throw new AppError("CONFLICT", `Agent ${agent.name} was revoked; nothing can run there.`, { field: "agentId" });
  return { id, name: agent.name, isConnected: agent.status === "ONLINE" };
}

async function findProbe(db: Db, id: string): Promise<ProbeRow> {
  const [probe] = await db.select().from(probes).where(eq(probes.id, id));
  if (!probe) throw new AppError("NOT_FOUND", `There is no probe ${id}.`, { field: "probeId" });
  return probe;
}
