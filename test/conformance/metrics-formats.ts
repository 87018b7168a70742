import { vi } from "vitest";
import { scrape } from "../../packages/api/src/http/testing/scrape.js";
import { complaintsOf, type Prometheus, startPrometheus } from "../harness/prometheus.js";
import type { Area, Check, Subject } from "./check.js";

const withPrometheus =
  (look: (prometheus: Prometheus) => Promise<string | undefined>) =>
  async ({ url }: Subject): Promise<string> => {
    await using prometheus = await startPrometheus(new URL(url).host);
    return await vi.waitFor(
      async () => {
        const seen = await look(prometheus);
        if (!seen) throw new Error("Prometheus has not scraped yet");
        return seen;
      },
      { timeout: 25_000, interval: 100 },
    );
  };

const checks: Check[] = [
  {
    what: "`promtool check metrics` on the text format",
    expected: "no complaint",
    run: async ({ url }) => (await complaintsOf((await scrape(url)).text)) || "no complaint",
  },
  {
    what: "a scrape by a real Prometheus, which asks for OpenMetrics",
    expected: "up",
    run: withPrometheus(async (prometheus) => {
      const target = (await prometheus.ask("/targets"))?.activeTargets[0];
      return target?.health === "unknown" ? undefined : [target?.health, target?.lastError].filter(Boolean).join(": ");
    }),
  },
  {
    what: "what it then knows of `poppo_events_appended`, a counter family of OpenMetrics, without `_total`",
    expected: "counter",
    run: withPrometheus(
      async (prometheus) =>
        (await prometheus.ask("/metadata?metric=poppo_events_appended"))?.poppo_events_appended?.[0].type,
    ),
  },
];

/** Prometheus text and OpenMetrics, judged by the programs that read them. */
export const metricsFormats: Area = { name: "Metrics formats", file: "test/conformance/metrics-formats.ts", checks };
