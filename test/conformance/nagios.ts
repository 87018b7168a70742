import { parsePerfdata } from "../../packages/plugins/src/exec/perfdata.js";
import { alerts, parseRange } from "../../packages/plugins/src/exec/range.js";
import { NO_PERFDATA, PERFDATA } from "../../packages/plugins/src/exec/testing/perfdata-texts.js";
import { NO_RANGES, RANGES } from "../../packages/plugins/src/exec/testing/ranges.js";
import type { Area, Check } from "./check.js";

const code = (text: string) => `\`${text}\``;

const ranges: Check[] = RANGES.map(([text, alerting, quiet]) => ({
  what: `the range ${code(text)}`,
  expected: `alerts on ${list(alerting)}, not on ${list(quiet)}`,
  async run() {
    const range = parseRange(text)!;
    const split = (wanted: boolean) => [...alerting, ...quiet].filter((value) => alerts(value, range) === wanted);
    return `alerts on ${list(split(true))}, not on ${list(split(false))}`;
  },
}));

function list(values: number[]): string {
  return values.join(" ") || "nothing";
}

const perfdata: Check[] = PERFDATA.map(([text, data]) => ({
  what: `the perfdata ${code(text)}`,
  expected: shown(data),
  run: async () => shown(parsePerfdata(text)),
}));

function shown(data: { label: string; value: number | null; unit: string }[]): string {
  return data.map(({ label, value, unit }) => `${label} is ${value ?? "unknown"}${unit}`).join(", ");
}

/** https://nagios-plugins.org/doc/guidelines.html, sections 2.6 and 2.5. */
export const nagios: Area = {
  name: "Nagios plugins",
  file: "test/conformance/nagios.ts",
  checks: [
    ...ranges,
    ...perfdata,
    {
      what: `no range: ${NO_RANGES.filter(Boolean).map(code).join(" ")}`,
      expected: "refused",
      run: async () => (NO_RANGES.every((text) => !parseRange(text)) ? "refused" : "read"),
    },
    {
      what: `no perfdata: ${NO_PERFDATA.map(code).join(", ")}`,
      expected: "no metric",
      run: async () => (NO_PERFDATA.every((text) => parsePerfdata(text).length === 0) ? "no metric" : "read"),
    },
  ],
};
