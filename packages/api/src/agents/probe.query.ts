import { eq } from "drizzle-orm";
import type { Db } from "../db/database.js";
import type { Connection, Paging } from "../graphql/connection.js";
import { byId, contains, listOf } from "../graphql/table-queries.js";
import { type ProbeRow, probes } from "./probe.table.js";

/** Probes by name. */
export function findProbes(db: Db, search: string | null, paging: Paging): Promise<Connection<ProbeRow>> {
  return listOf(db, probes, {
    paging,
    orderBy: [{ key: "name", column: probes.name }],
    where: search ? contains(probes.name, search) : undefined,
  });
}

export const probeById = byId(probes);

export async function probeByName(db: Db, name: string): Promise<ProbeRow | null> {
  const [row] = await db.select().from(probes).where(eq(probes.name, name));
  return row ?? null;
}
