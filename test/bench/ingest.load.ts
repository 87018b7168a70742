import { setTimeout as sleep } from "node:timers/promises";
import type { Result } from "@poppo-ops/plugins/wire";
import { SimulatedAgent } from "../harness/simulated-agent.js";
import { load } from "./load-process.js";

export interface IngestInput {
  url: string;
  databaseUrl: string;
  probeIds: string[];
  agents: number;
  batch: number;
  seconds: number;
  /** Share of results that change the state of their thing. */
  changing: number;
}

export interface IngestOutput {
  perSecond: number;
}

/** Made once: the generator is to leave the processor to what is measured. */
const SAID: Pick<Result, "summary" | "metrics" | "evidence"> = {
  summary: "load is 0.42 per core",
  metrics: { load1: [0.42, "1"], load5: [0.4, "1"] },
  evidence: null,
};

load<IngestInput, IngestOutput>(async ({ url, databaseUrl, probeIds, agents: count, batch, seconds, changing }) => {
  const agents = await SimulatedAgent.enrolMany(databaseUrl, url, count, `bench-${process.pid}`);
  await Promise.all(agents.map((agent) => agent.connect()));
  const running = new AbortController();
  const bad = new Set<number>();
  let made = 0;
  const results = (): Result[] => {
    const at = Date.now();
    return Array.from({ length: batch }, (_, i) => {
      const thing = i % probeIds.length;
      // A thing goes bad or recovers every 1/changing results; in between it stays as it is.
      if (changing > 0 && ++made % Math.round(1 / changing) === 0) bad.has(thing) ? bad.delete(thing) : bad.add(thing);
      const status = bad.has(thing) ? "CRIT" : "OK";
      return { probeId: probeIds[thing]!, item: "", at, durationMs: 3, status, ...SAID };
    });
  };
  const feeding = agents.map(async (agent) => {
    while (!running.signal.aborted) {
      agent.report(results());
      agent.report(results());
      await agent.acknowledged();
    }
  });
  await sleep(2000);
  const before = acked(agents);
  const started = performance.now();
  await sleep(seconds * 1000);
  const perSecond = (acked(agents) - before) / ((performance.now() - started) / 1000);
  running.abort();
  await Promise.all(feeding);
  await Promise.all(agents.map((peer) => peer.close()));
  return { perSecond };
});

const acked = (agents: SimulatedAgent[]) => agents.reduce((sum, agent) => sum + agent.acked, 0);
