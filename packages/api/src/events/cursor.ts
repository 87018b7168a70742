import { AppError } from "../kernel/app-error.js";

/** A place in the event log: after event `seq` of the database `epoch`. */
export interface Position {
  epoch: string;
  seq: number;
}

/** Opaque to clients: base64url of `v1:<epoch>:<seq>`. */
export const encodeCursor = ({ epoch, seq }: Position): string =>
  Buffer.from(`v1:${epoch}:${seq}`).toString("base64url");

/** @throws {AppError} BAD_INPUT when it is no cursor of ours */
export function decodeCursor(cursor: string): Position {
  const match = /^v1:([0-9a-f-]{36}):(\d{1,15})$/.exec(Buffer.from(cursor, "base64url").toString("latin1"));
  if (!match)
    throw new AppError(
      "BAD_INPUT",
      `after is "${cursor.slice(0, 60)}", which is no event cursor; use the cursor of a page.`,
      { field: "after" },
    );
  return { epoch: match[1]!, seq: Number(match[2]) };
}
