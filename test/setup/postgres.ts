import { startTestCluster } from "../../packages/api/src/db/testing/test-cluster.js";

let stop = async () => {};

/** One PostgreSQL for the whole vitest run; `testDatabase()` makes databases on it. */
export async function setup(): Promise<void> {
  stop = await startTestCluster();
}

export async function teardown(): Promise<void> {
  await stop();
}
