import type { ServerProcess } from "../harness/server-process.js";
import { ack } from "./ack.bench.js";
import { fillIncidents } from "./incidents-fill.js";
import { query } from "./query.bench.js";
import type { Row } from "./row.js";

/** Reading and acknowledging while 100,000 incidents are open. */
export async function incidents(server: ServerProcess, quick: boolean): Promise<Row[]> {
  await fillIncidents(server, { from: 1, to: 100_000 });
  return [...(await query(server, quick)), ...(await ack(server, quick))];
}
