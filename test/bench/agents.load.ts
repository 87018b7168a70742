import { SimulatedAgent } from "../harness/simulated-agent.js";
import { load } from "./load-process.js";
import { needOpenFiles } from "./open-files.js";

export interface AgentsInput {
  url: string;
  databaseUrl: string;
  count: number;
}

/** Connects many agents and holds them. Answers with how many it connected in a second. */
load<AgentsInput, number>(async ({ url, databaseUrl, count }) => {
  await needOpenFiles(count);
  const agents = await SimulatedAgent.enrolMany(databaseUrl, url, count, `bench-${process.pid}`);
  const started = performance.now();
  for (let i = 0; i < count; i += 200) await Promise.all(agents.slice(i, i + 200).map((agent) => agent.connect()));
  return Math.round(count / ((performance.now() - started) / 1000));
});
