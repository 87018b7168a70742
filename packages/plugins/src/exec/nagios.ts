import { clip } from "../clip.js";
import { defineProbe, type Outcome, unknown } from "../contract.js";
import { redact } from "../redact.js";
import { LIMITS, type Metrics, type OutcomeStatus } from "../wire.js";
import { manifest, type NagiosConfig } from "./config.js";
import { type PerfDatum, parsePluginOutput } from "./perfdata.js";
import { alerts, parseRange } from "./range.js";
import { type Ended, runInGroup } from "./run-in-group.js";

const STATUS_OF_EXIT = ["OK", "WARN", "CRIT", "UNKNOWN"] as const satisfies readonly OutcomeStatus[];
type Status = (typeof STATUS_OF_EXIT)[number];

export const nagios = defineProbe(manifest.probes.nagios, async (config, { signal }): Promise<Outcome> => {
  // LC_ALL: some plugins print decimal commas otherwise.
  const env = { PATH: process.env.PATH ?? "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C", ...config.env };
  const { argv, cwd, maxOutputBytes } = config;
  const ended = await runInGroup(argv, { cwd, env, maxOutputBytes, signal });
  return judge(ended, config);
});

function judge(ended: Ended, config: NagiosConfig): Outcome {
  const output = parsePluginOutput(ended.truncated.stdout ? withoutLastWord(ended.stdout) : ended.stdout);
  const evidence = evidenceOf(ended, output.longText);
  const status = ended.flooded ? undefined : STATUS_OF_EXIT[ended.exitCode ?? -1];
  if (status === undefined)
    return unknown(line(`${howItEnded(ended, config)}: ${output.text || ended.stderr}`), undefined, { evidence });

  const said = output.text || `${config.argv[0]} said nothing and exited with ${ended.exitCode}`;
  if (status === "UNKNOWN") return unknown(line(said), undefined, { evidence });
  const limits = judgeThresholds(output.perfdata, config.thresholds);
  return {
    status: worst(status, ...limits.map((limit) => limit.status)),
    summary: line([said, ...limits.map((limit) => limit.reason)].join("; ")),
    metrics: metricsOf(output.perfdata),
    evidence,
  };
}

/** Cut after the 9, `queue=950` reads as a whole `queue=9`. */
const withoutLastWord = (stdout: string): string => stdout.replace(/[\s|][^\s|]*$/, "");

function howItEnded({ exitCode, signal, spawnError, flooded }: Ended, { argv, maxOutputBytes }: NagiosConfig): string {
  if (spawnError) return `could not start: ${spawnError}`;
  if (flooded) return `${argv[0]} was stopped: it wrote more than 16 × ${maxOutputBytes} bytes`;
  if (signal) return `${argv[0]} was ended by ${signal}`;
  return `${argv[0]} exited with ${exitCode}, which is none of 0, 1, 2, 3`;
}

interface Limit {
  status: Status;
  reason: string;
}

function judgeThresholds(perfdata: readonly PerfDatum[], thresholds: NagiosConfig["thresholds"]): Limit[] {
  return Object.entries(thresholds).flatMap(([label, { warn, crit }]): Limit[] => {
    const value = perfdata.find((datum) => datum.label === label)?.value ?? null;
    if (value === null) return [{ status: "UNKNOWN", reason: `${label} was not reported` }];
    if (crit && isAlert(value, crit)) return [{ status: "CRIT", reason: `${label} ${value} alerts on crit ${crit}` }];
    if (warn && isAlert(value, warn)) return [{ status: "WARN", reason: `${label} ${value} alerts on warn ${warn}` }];
    return [];
  });
}

function isAlert(value: number, text: string): boolean {
  const range = parseRange(text);
  return range !== undefined && alerts(value, range);
}

const SEVERITY: Record<Status, number> = { OK: 0, WARN: 1, UNKNOWN: 2, CRIT: 3 };
const worst = (...statuses: [Status, ...Status[]]): Status =>
  statuses.reduce((a, b) => (SEVERITY[b] > SEVERITY[a] ? b : a));

function metricsOf(perfdata: readonly PerfDatum[]): Metrics | undefined {
  const known = perfdata.filter((datum) => datum.value !== null && datum.label.length <= 200);
  if (known.length === 0) return undefined;
  return Object.fromEntries(
    known.slice(0, LIMITS.metricsPerResult).map(({ label, value, unit }) => [label, [value as number, unit || "1"]]),
  );
}

const EVIDENCE_CHARS = 3_500;

function evidenceOf({ exitCode, signal, stderr, truncated }: Ended, longText: string): Record<string, unknown> {
  return {
    exitCode,
    ...(signal && { signal }),
    ...(longText && { longText: clip(redact(longText), EVIDENCE_CHARS) }),
    ...(stderr && { stderr: clip(redact(stderr), EVIDENCE_CHARS) }),
    ...((truncated.stdout || truncated.stderr) && { truncated: true }),
  };
}

const line = (text: string): string => clip(redact(text).trim().replace(/\s+/g, " "), LIMITS.summaryChars);
