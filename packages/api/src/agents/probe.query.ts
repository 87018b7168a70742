import { eq, ilike, inArray } from "drizzle-orm";
import type { Db } from "../db/database.js";
import { type Connection, countRows, type Paging, paginate } from "../graphql/connection.js";
import { inOrder, type LoaderDefinition } from "../graphql/context.js";
import { type ProbeRow, probes } from "./probe.table.js";

/** Probes by name. */
export function findProbes(db: Db, search: string | null, paging: Paging): Promise<Connection<ProbeRow>> {
  return paginate<ProbeRow>({
    paging,
    orderBy: [{ key: "name", column: probes.name }],
    where: search ? ilike(probes.name, `%${search.replace(/[\\%_]/g, "\\$&")}%`) : undefined,
    select: (where, orderBy, limit) =>
      db
        .select()
        .from(probes)
        .where(where)
        .orderBy(...orderBy)
        .limit(limit),
    count: (where) => countRows(db, probes, where),
  });
}

export const probeById: LoaderDefinition<string, ProbeRow> = async (db, ids) =>
  inOrder(
    ids,
    await db
      .select()
      .from(probes)
      .where(inArray(probes.id, [...ids])),
    (row) => row.id,
  );

export async function probeByName(db: Db, name: string): Promise<ProbeRow | null> {
  const [row] = await db.select().from(probes).where(eq(probes.name, name));
  return row ?? null;
}
