import { and, eq, ilike, inArray, isNotNull, isNull } from "drizzle-orm";
import type { Db } from "../db/database.js";
import { type Connection, countRows, type Paging, paginate } from "../graphql/connection.js";
import { inOrder, type LoaderDefinition } from "../graphql/context.js";
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
  return paginate<IntegrationRow>({
    paging,
    orderBy: [
      { key: "name", column: integrations.name },
      { key: "id", column: integrations.id },
    ],
    where: and(
      kinds ? inArray(integrations.kind, kinds) : undefined,
      search ? ilike(integrations.name, `%${search.replace(/[\\%_]/g, "\\$&")}%`) : undefined,
      typeof revoked === "boolean" ? (revoked ? isNotNull : isNull)(integrations.revokedAt) : undefined,
    ),
    select: (where, orderBy, limit) =>
      db
        .select()
        .from(integrations)
        .where(where)
        .orderBy(...orderBy)
        .limit(limit),
    count: (where) => countRows(db, integrations, where),
  });
}

export const integrationById: LoaderDefinition<string, IntegrationRow> = async (db, ids) =>
  inOrder(
    ids,
    await db
      .select()
      .from(integrations)
      .where(inArray(integrations.id, [...ids])),
    (row) => row.id,
  );

export async function integrationByName(db: Db, name: string): Promise<IntegrationRow | null> {
  const [row] = await db
    .select()
    .from(integrations)
    .where(and(eq(integrations.name, name), isNull(integrations.revokedAt)));
  return row ?? null;
}
