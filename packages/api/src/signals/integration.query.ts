import { and, eq, inArray, isNotNull, isNull } from "drizzle-orm";
import type { Db } from "../db/database.js";
import type { Connection, Paging } from "../graphql/connection.js";
import { byId, contains, listOf } from "../graphql/table-queries.js";
import { type IntegrationKind, type IntegrationRow, integrations } from "./integration.table.js";

export interface IntegrationConditions {
  kinds?: IntegrationKind[] | null;
  search?: string | null;
  revoked?: boolean | null;
}

/** Integrations by name; those of the same name (one was revoked) by id. */
export function findIntegrations(
  db: Db,
  { kinds, search, revoked }: IntegrationConditions,
  paging: Paging,
): Promise<Connection<IntegrationRow>> {
  return listOf(db, integrations, {
    paging,
    orderBy: [
      { key: "name", column: integrations.name },
      { key: "id", column: integrations.id },
    ],
    where: and(
      kinds ? inArray(integrations.kind, kinds) : undefined,
      search ? contains(integrations.name, search) : undefined,
      typeof revoked === "boolean" ? (revoked ? isNotNull : isNull)(integrations.revokedAt) : undefined,
    ),
  });
}

export const integrationById = byId(integrations);

export async function integrationByName(db: Db, name: string): Promise<IntegrationRow | null> {
  const [row] = await db
    .select()
    .from(integrations)
    .where(and(eq(integrations.name, name), isNull(integrations.revokedAt)));
  return row ?? null;
}
