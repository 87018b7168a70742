import { and, eq, isNull } from "drizzle-orm";
import { z } from "zod";
import { violatedConstraint } from "../db/database.js";
import { AppError } from "../kernel/app-error.js";
import { type Act, command } from "../kernel/command.js";
import { hashToken, newToken, tokenPrefix } from "../kernel/ids.js";
import { uuid } from "../kernel/uuid.js";
import { CATEGORIES, SEVERITIES } from "../kernel/vocabulary.js";
import { firingAlerts, INTEGRATION_KINDS, type IntegrationRow, integrations } from "./integration.table.js";
import { DEFAULT_SEVERITIES } from "./severity-map.js";

const name = z.string().trim().min(1).max(100).describe("Unique among those in use.");
const fields = {
  severities: z
    .record(z.string().trim().toLowerCase().min(1).max(50), z.enum(SEVERITIES))
    .refine((map) => Object.keys(map).length <= 100, "It has more than 100 entries.")
    .optional()
    .describe(
      "Our severity by what the sender calls it, in any case; replaces the map. P0 to P3 are always themselves.",
    ),
  defaultSeverity: z.enum(SEVERITIES).optional().describe("Where the map has no answer. P2 unless said otherwise."),
  category: z.enum(CATEGORIES).optional().describe("Where the signal names none of ours."),
  serviceId: uuid().nullable().optional().describe("Where the signal names no service of the catalogue."),
};

export const createIntegration = command({
  permission: "integration:manage",
  input: z.object({ name, kind: z.enum(INTEGRATION_KINDS).describe("What sends."), ...fields }),
  async run(act, { kind, ...given }) {
    const key = newToken("hook");
    const [integration] = await act.db
      .insert(integrations)
      .values({
        severities: DEFAULT_SEVERITIES,
        defaultSeverity: "P2",
        category: "OTHER",
        ...given,
        kind,
        prefix: tokenPrefix(key),
        hash: hashToken(key),
        createdBy: act.scope.principal.name,
        createdAt: act.now,
        updatedAt: act.now,
      })
      .returning()
      .catch(refuseConflicts(given));
    tell(act, "created", integration!);
    return { integration: integration!, path: `/integrations/${kind.toLowerCase()}/${key}` };
  },
});

export const updateIntegration = command({
  permission: "integration:manage",
  input: z.object({ id: uuid(), name: name.optional(), ...fields }),
  async run(act, { id, ...changes }) {
    const [integration] = await act.db
      .update(integrations)
      .set({ ...changes, updatedAt: act.now })
      .where(and(eq(integrations.id, id), isNull(integrations.revokedAt)))
      .returning()
      .catch(refuseConflicts(changes));
    if (!integration) throw notFound(id);
    tell(act, "updated", integration);
    return { integration };
  },
});

/**
 * Its key is refused from now on. Incidents it raised stay open: that nobody reports about a trouble any more does not
 * mean that it is over.
 */
export const revokeIntegration = command({
  permission: "integration:manage",
  input: z.object({ id: uuid() }),
  async run(act, { id }) {
    const [integration] = await act.db
      .update(integrations)
      .set({ revokedAt: act.now, updatedAt: act.now })
      .where(and(eq(integrations.id, id), isNull(integrations.revokedAt)))
      .returning();
    if (!integration) return { integration: await revokedBefore(act, id) };
    await act.db.delete(firingAlerts).where(eq(firingAlerts.integrationId, id));
    tell(act, "revoked", integration);
    return { integration };
  },
});

async function revokedBefore({ db }: Act, id: string): Promise<IntegrationRow> {
  const [integration] = await db.select().from(integrations).where(eq(integrations.id, id));
  if (!integration) throw notFound(id);
  return integration;
}

const tell = ({ emit }: Act, verb: "created" | "updated" | "revoked", { id, name, kind, serviceId }: IntegrationRow) =>
  emit({
    type: `integration.${verb}`,
    summary: `Integration "${name}" (${kind}) was ${verb}`,
    serviceId,
    payload: { integrationId: id, kind },
  });

const notFound = (id: string) => new AppError("NOT_FOUND", `There is no integration ${id} in use.`, { field: "id" });

const refuseConflicts = (given: { name?: string; serviceId?: string | null }) => (error: unknown) => {
  const constraint = violatedConstraint(error);
  if (constraint === "integrations_name")
    throw new AppError("ALREADY_EXISTS", `name: there is an integration "${given.name}" already.`, { field: "name" });
  if (constraint?.includes("service_id"))
    throw new AppError("NOT_FOUND", `serviceId: there is no service ${given.serviceId}.`, { field: "serviceId" });
  throw error;
};
