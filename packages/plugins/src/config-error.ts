import { closest, distance } from "fastest-levenshtein";
import { z } from "zod";

type Path = readonly PropertyKey[];

/**
 * Turns what zod found wrong with a config into one readable message, with "did you mean" for a misspelt option.
 * @param input what was parsed, to name the wrong value; absent, values are not named
 */
export function explainConfigError(error: z.ZodError, schema: z.ZodType, input?: unknown): string {
  return error.issues.map((issue) => explain(issue, schema, input)).join("; ");
}

/** `; did you mean "x"?` when one of `names` is near to `name`, else nothing. */
export function didYouMean(name: string, names: readonly string[]): string {
  if (names.length === 0) return "";
  const nearest = closest(
    name.toLowerCase(),
    names.map((known) => known.toLowerCase()),
  );
  if (distance(name.toLowerCase(), nearest) > Math.max(2, Math.floor(name.length / 3))) return "";
  return `; did you mean "${names.find((known) => known.toLowerCase() === nearest)}"?`;
}

function explain(issue: z.core.$ZodIssue, schema: z.ZodType, input: unknown): string {
  if (issue.code === "unrecognized_keys") return explainKeys(issue.keys, issue.path, optionsAt(schema, issue.path));
  const where = issue.path.length > 0 ? pathText(issue.path) : "the config";
  const value = input === undefined ? undefined : valueAt(input, issue.path);
  const given = value === undefined ? "" : ` (given: ${show(value)})`;
  const suggestion =
    issue.code === "invalid_value" && typeof value === "string" ? didYouMean(value, issue.values.map(String)) : "";
  return `${where}: ${issue.message}${given}${suggestion}`;
}

function explainKeys(keys: readonly string[], path: Path, options: readonly string[]): string {
  const known = options.length > 0 ? `options are ${options.join(", ")}` : "it has no options";
  return keys
    .map((key) => `"${pathText([...path, key])}" is not an option${didYouMean(key, options)} (${known})`)
    .join("; ");
}

/** The option names of the object at `path`; those of all alternatives where a union stands. */
function optionsAt(schema: z.ZodType, path: Path): string[] {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodUnion)
    return [...new Set(inner.options.flatMap((option) => optionsAt(option as z.ZodType, path)))];
  const [head, ...rest] = path;
  if (head === undefined) return inner instanceof z.ZodObject ? Object.keys(inner.shape) : [];
  const child = childOf(inner, head);
  return child ? optionsAt(child, rest) : [];
}

function childOf(schema: z.ZodType, key: PropertyKey): z.ZodType | undefined {
  if (schema instanceof z.ZodObject) return schema.shape[String(key)] as z.ZodType | undefined;
  if (schema instanceof z.ZodArray) return schema.element as z.ZodType;
  if (schema instanceof z.ZodRecord) return schema.valueType as z.ZodType;
  return undefined;
}

/** The schema under `.optional()`, `.default()`, `.nullable()` and transforms. */
function unwrap(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodPipe) return unwrap(schema.in as z.ZodType);
  const { innerType } = schema.def as { innerType?: z.ZodType };
  return innerType ? unwrap(innerType) : schema;
}

const valueAt = (input: unknown, path: Path): unknown =>
  path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | null | undefined)?.[key], input);

const pathText = (path: Path): string => z.core.toDotPath([...path]);

const show = (value: unknown): string => (JSON.stringify(value) ?? String(value)).slice(0, 80);
