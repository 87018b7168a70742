import { eq, inArray } from "drizzle-orm";
import { z } from "zod";
import { violatedConstraint } from "../db/database.js";
import { AppError } from "../kernel/app-error.js";
import { type Act, command } from "../kernel/command.js";
import { uuid } from "../kernel/uuid.js";
import { serviceDependencies, services } from "./service.table.js";

const name = z.string().trim().min(1).max(100).describe("Unique. Up to 100 characters.");
const fields = {
  description: z.string().max(4000).optional().describe("What it does. Up to 4,000 characters."),
  owner: z.string().max(200).optional().describe("The team or person that answers for it."),
  labels: z.record(z.string().max(100), z.string().max(200)).optional().describe("Text by name."),
  dependsOnIds: z.array(uuid()).max(100).optional().describe("The services it needs; replaces the list."),
};

export const createService = command({
  permission: "service:write",
  input: z.object({ name, ...fields }),
  async run(act, { dependsOnIds = [], ...values }) {
    const [service] = await act.db.insert(services).values(values).returning().catch(refuseTakenName(values.name));
    await setDependencies(act, service!.id, dependsOnIds);
    act.emit({ type: "service.created", summary: `Service "${values.name}" was added`, serviceId: service!.id });
    return { service: service! };
  },
});

export const updateService = command({
  permission: "service:write",
  input: z.object({ id: uuid(), name: name.optional(), ...fields }),
  async run(act, { id, dependsOnIds, ...values }) {
    const [service] = await act.db
      .update(services)
      .set({ ...values, updatedAt: act.now })
      .where(eq(services.id, id))
      .returning()
      .catch(refuseTakenName(values.name ?? ""));
    if (!service) throw new AppError("NOT_FOUND", `There is no service ${id}.`, { field: "id" });
    if (dependsOnIds) {
      await act.db.delete(serviceDependencies).where(eq(serviceDependencies.serviceId, id));
      await setDependencies(act, id, dependsOnIds);
    }
    act.emit({ type: "service.updated", summary: `Service "${service.name}" was changed`, serviceId: id });
    return { service };
  },
});

export const deleteService = command({
  permission: "service:write",
  input: z.object({ id: uuid() }),
  async run({ db, emit }, { id }) {
    const [service] = await db
      .delete(services)
      .where(eq(services.id, id))
      .returning()
      .catch((error) => {
        if (!violatedConstraint(error)) throw error;
        throw new AppError("IN_USE", `Service ${id} has incidents; their history would lose its subject.`, {
          field: "id",
        });
      });
    if (!service) throw new AppError("NOT_FOUND", `There is no service ${id}.`, { field: "id" });
    emit({ type: "service.deleted", summary: `Service "${service.name}" was removed`, serviceId: id });
    return { deletedId: id };
  },
});

async function setDependencies(act: Act, serviceId: string, dependsOnIds: string[]): Promise<void> {
  if (dependsOnIds.length === 0) return;
  const { db } = act;
  if (dependsOnIds.includes(serviceId))
    throw new AppError("BAD_INPUT", "dependsOnIds: a service cannot depend on itself.", { field: "dependsOnIds" });
  // Locked, so that none is removed before the reference to it stands.
  const known = await db
    .select({ id: services.id })
    .from(services)
    .where(inArray(services.id, dependsOnIds))
    .for("key share");
  const missing = dependsOnIds.find((id) => !known.some((service) => service.id === id));
  if (missing)
    throw new AppError("NOT_FOUND", `dependsOnIds: there is no service ${missing}.`, { field: "dependsOnIds" });
  await db.insert(serviceDependencies).values(known.map(({ id }) => ({ serviceId, dependsOnId: id })));
  await refuseCircle(act, serviceId);
}

/** What fails because of what must be answerable, so no service may need itself through others. */
async function refuseCircle({ client, db }: Act, serviceId: string): Promise<void> {
  // Two changes at once could each be the half of a circle that the other does not see.
  await client.query("SELECT pg_advisory_xact_lock(hashtext('poppo service dependencies'))");
  // Each need once: the ways through them are too many to follow, 4 to the power of 12 in 12 layers of four services.
  const { rows } = await client.query<Need>(
    `WITH RECURSIVE needs AS (
       SELECT service_id, depends_on_id FROM service_dependencies WHERE service_id = $1
       UNION
       SELECT d.service_id, d.depends_on_id FROM needs n JOIN service_dependencies d ON d.service_id = n.depends_on_id)
     SELECT service_id AS id, depends_on_id AS needs FROM needs`,
    [serviceId],
  );
  const circle = circleFrom(serviceId, rows);
  if (!circle) return;
  const known = await db
    .select({ id: services.id, name: services.name })
    .from(services)
    .where(inArray(services.id, circle));
  const names = circle.map((id) => known.find((service) => service.id === id)!.name);
  throw new AppError("BAD_INPUT", `dependsOnIds: that would be a circle: ${names.join(" → ")}.`, {
    field: "dependsOnIds",
  });
}

interface Need {
  id: string;
  needs: string;
}

/** The shortest way from a service back to itself, both ends included. */
function circleFrom(start: string, all: Need[]): string[] | null {
  const needsOf = new Map<string, string[]>();
  for (const { id, needs } of all) needsOf.set(id, [...(needsOf.get(id) ?? []), needs]);
  const cameFrom = new Map<string, string>();
  const reached = [start];
  for (const id of reached) {
    for (const next of needsOf.get(id) ?? []) {
      if (cameFrom.has(next)) continue;
      cameFrom.set(next, id);
      reached.push(next);
    }
  }
  if (!cameFrom.has(start)) return null;
  const way = [start];
  do way.unshift(cameFrom.get(way[0]!)!);
  while (way[0] !== start);
  return way;
}

const refuseTakenName = (taken: string) => (error: unknown) => {
  if (violatedConstraint(error) !== "services_name") throw error;
  throw new AppError("ALREADY_EXISTS", `name: there is a service "${taken}" already.`, { field: "name" });
};
