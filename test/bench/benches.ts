import type { ServerProcess } from "../harness/server-process.js";
import { agent } from "./agent.bench.js";
import { agents } from "./agents.bench.js";
import { alerts } from "./alerts.bench.js";
import { fanout, fanoutMixed } from "./fanout.bench.js";
import { growth } from "./growth.bench.js";
import { incidents } from "./incidents.bench.js";
import { ingest } from "./ingest.bench.js";
import { latency } from "./latency.bench.js";
import { resume } from "./resume.bench.js";
import type { Row } from "./row.js";
import { start } from "./start.bench.js";

/** What is measured together, on a server of its own. */
export interface Bench {
  ids: string[];
  run(server: ServerProcess, quick: boolean): Promise<Row[]>;
}

export const BENCHES: Bench[] = [
  { ids: ["start.cold", "start.warm"], run: start },
  { ids: ["ingest", "ingest.storm"], run: ingest },
  { ids: ["alerts", "alerts.single"], run: alerts },
  { ids: ["fanout"], run: fanout },
  { ids: ["fanout.mixed"], run: fanoutMixed },
  { ids: ["latency.p50", "latency.p99"], run: latency },
  { ids: ["resume", "resume.block"], run: resume },
  { ids: ["query", "query.p99", "list", "ack"], run: incidents },
  { ids: ["agents.10k", "agents.10k.cpu"], run: agents },
  { ids: ["agent.rss", "agent.cpu", "agent.disk"], run: agent },
  { ids: ["growth.ingest", "growth.list", "growth.ack", "growth.kept"], run: growth },
];
