import { explainConfigError } from "@poppo-ops/plugins";
import type { z } from "zod";

/** @throws with a message a person can act on: `what` is invalid, and each option that is wrong */
export function readConfig<Schema extends z.ZodType>(schema: Schema, value: unknown, what: string): z.output<Schema> {
  const parsed = schema.safeParse(value ?? {});
  if (parsed.success) return parsed.data;
  throw new Error(`${what} is invalid: ${explainConfigError(parsed.error, schema)}`);
}
