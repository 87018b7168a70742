import { z } from "zod";
import { AppError } from "./app-error.js";

/** An id in an input. In lower case, as PostgreSQL writes it: what it takes for equal, we compare letter by letter. */
export const uuid = () => z.uuid().toLowerCase();

const id = uuid();

/**
 * An id that no input has checked: an argument, or an entry of a filter.
 * @param field where it stands
 * @throws {AppError} BAD_INPUT
 */
export function parseUuid(text: string, field: string): string {
  const { success, data } = id.safeParse(text);
  if (success) return data;
  throw new AppError("BAD_INPUT", `${field}: ${JSON.stringify(text.slice(0, 80))} is no id; ids are UUIDs.`, { field });
}
