import { type Client, createClient } from "@poppo-ops/client";
import { type TestDatabase, testDatabase } from "../../packages/api/src/db/testing/test-database.js";
import { ADMIN_TOKEN, type ServerProcess, startServerProcess } from "./server-process.js";
import { type Traffic, tcpBalancer } from "./tcp-balancer.js";

export interface ReplicaSet extends AsyncDisposable {
  database: TestDatabase;
  replicas: ServerProcess[];
  /** Of the balancer before them. */
  url: string;
  /** As the first admin, by way of the balancer. */
  client: Client;
  trafficOf(replica: ServerProcess): Traffic;
}

/** Real server processes on one database, behind a balancer. */
export async function startReplicas(count: number, env: Record<string, string> = {}): Promise<ReplicaSet> {
  const database = await testDatabase();
  const replicas: ServerProcess[] = [];
  const stop = async () => {
    for (const replica of replicas) await replica[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  };
  try {
    for (let i = 0; i < count; i++) replicas.push(await startServerProcess({ DATABASE_URL: database.url, ...env }));
  } catch (error) {
    await stop();
    throw error;
  }
  const balancer = await tcpBalancer(replicas.map(({ url }) => url));
  const client = createClient({ url: balancer.url, token: ADMIN_TOKEN });
  return {
    database,
    replicas,
    url: balancer.url,
    client,
    trafficOf: ({ url }) => balancer.traffic.get(url)!,
    async [Symbol.asyncDispose]() {
      await client.close();
      await balancer[Symbol.asyncDispose]();
      await stop();
    },
  };
}
