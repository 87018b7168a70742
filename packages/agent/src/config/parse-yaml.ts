import { explainConfigError } from "@poppo-ops/plugins";
import { type Document, isMap, isScalar, LineCounter, parseDocument, visit } from "yaml";
import { z } from "zod";
import { ConfigError } from "./config-error.js";

/** Reads YAML by a schema. @throws {ConfigError} with one line per mistake: `file:line: what is wrong` */
export function parseYaml<Schema extends z.ZodType>(file: string, text: string, schema: Schema): z.output<Schema> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [syntax] = document.errors;
  if (syntax) throw new ConfigError(`${file}: ${syntax.message}${syntax.code === "BAD_ALIAS" ? quote("*") : ""}`);
  const parsed = schema.safeParse(readDocument(document, file, lines) ?? {});
  if (parsed.success) return parsed.data;

  const lineOf = (path: readonly PropertyKey[]): string => {
    const parent = document.getIn(path.slice(0, -1), true) ?? document.contents;
    const key = path.at(-1);
    const pair = isMap(parent) ? parent.items.find((item) => isScalar(item.key) && item.key.value === key) : undefined;
    const node = isScalar(pair?.key) ? pair.key : document.getIn(path, true);
    const range = node && typeof node === "object" && "range" in node ? (node.range as [number] | null) : undefined;
    return range ? `${file}:${lines.linePos(range[0]).line}` : file;
  };
  const problems = parsed.error.issues.flatMap(onePerKey).map((issue) => {
    const path = issue.code === "unrecognized_keys" ? [...issue.path, ...issue.keys] : issue.path;
    return `${lineOf(path)}: ${explainConfigError(new z.ZodError([issue]), schema)}`;
  });
  throw new ConfigError(problems.join("\n"));
}

/** Each unknown key stands in a line of its own. */
const onePerKey = (issue: z.core.$ZodIssue): z.core.$ZodIssue[] =>
  issue.code === "unrecognized_keys" ? issue.keys.map((key) => ({ ...issue, keys: [key] })) : [issue];

/** @throws {ConfigError} for an alias that cannot be resolved: mostly a glob without quotes */
function readDocument(document: Document, file: string, lines: LineCounter): unknown {
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document)) return;
      const line = lines.linePos(alias.range?.[0] ?? 0).line;
      const text = `*${alias.source}`;
      throw new ConfigError(
        `${file}:${line}: ${text} is an alias in YAML, of an anchor that is not there; ${quote(text)}`,
      );
    },
  });
  try {
    return document.toJS();
  } catch (cause) {
    throw new ConfigError(`${file}: ${(cause as Error).message}`, { cause });
  }
}

const quote = (text: string): string => `to mean the text, write "${text}"`;
