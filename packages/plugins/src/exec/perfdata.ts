/** One value a plugin reported. `value` is null where it said `U` (undetermined). */
export interface PerfDatum {
  label: string;
  value: number | null;
  unit: string;
  warn?: string;
  crit?: string;
  min?: number;
  max?: number;
}

export interface PluginOutput {
  /** First line, without perfdata. */
  text: string;
  longText: string;
  perfdata: PerfDatum[];
}

/**
 * Splits a plugin's output as the Nagios plugin guidelines say: `text | perfdata`, then lines of long text, then after
 * the first `|` in them perfdata to the end. What does not parse is left out: a metric is never invented.
 */
export function parsePluginOutput(output: string): PluginOutput {
  const [first = "", ...rest] = output.replaceAll("\r\n", "\n").split("\n");
  const [text, firstPerfdata] = cutAtBar(first);
  const [longText, restPerfdata] = cutAtBar(rest.join("\n"));
  return {
    text: text.trim(),
    longText: longText.trim(),
    perfdata: parsePerfdata(`${firstPerfdata}\n${restPerfdata}`),
  };
}

function cutAtBar(text: string): [before: string, after: string] {
  const bar = text.indexOf("|");
  return bar < 0 ? [text, ""] : [text.slice(0, bar), text.slice(bar + 1)];
}

// No label begins with a dash: that is the `|--option=1` of a usage text.
const LABEL = /\s*(?:'((?:[^'\n]|'')+)'|([^\s'=-][^\s'=]*))=(\S*)(?=\s|$)/y;

/** Data up to the first that does not parse: behind it nobody knows where a quoted label begins. */
export function parsePerfdata(text: string): PerfDatum[] {
  const data: PerfDatum[] = [];
  LABEL.lastIndex = 0;
  for (let match = LABEL.exec(text); match; match = LABEL.exec(text)) {
    const [, quoted, bare, fields = ""] = match;
    const datum = parseDatum(quoted?.replaceAll("''", "'") ?? bare ?? "", fields);
    if (!datum) break;
    data.push(datum);
  }
  return data;
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const VALUE = /^(U|[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([a-zA-Z%°µ/]{0,16})$/;

function parseDatum(label: string, fields: string): PerfDatum | undefined {
  const [first = "", warn, crit, min, max, ...surplus] = fields.split(";");
  const match = VALUE.exec(first);
  if (!match || surplus.some((field) => field !== "")) return undefined;
  const value = match[1] === "U" ? null : Number(match[1]);
  if (value !== null && !Number.isFinite(value)) return undefined;
  return {
    label,
    value,
    unit: match[2] ?? "",
    ...(warn && { warn }),
    ...(crit && { crit }),
    ...numberField("min", min),
    ...numberField("max", max),
  };
}

const numberField = (name: "min" | "max", text: string | undefined): { min?: number; max?: number } =>
  text && NUMBER.test(text) ? { [name]: Number(text) } : {};
