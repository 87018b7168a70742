/** A place in the event log, read from the server's cursor: base64url of `v1:<epoch>:<seq>`. */
interface Position {
  epoch: string;
  seq: number;
}

/** Undefined when the cursor has a form this version does not know. */
export function decodeCursor(cursor: string): Position | undefined {
  try {
    const match = /^v1:(.+):(\d{1,15})$/.exec(atob(cursor.replaceAll("-", "+").replaceAll("_", "/")));
    return match ? { epoch: match[1]!, seq: Number(match[2]) } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Whether `cursor` lies after `last`. Across epochs nothing can be compared, and what the server sends then is new;
 * of cursors in an unknown form only the same one counts as seen.
 */
export function isAfter(cursor: string, last: string | undefined): boolean {
  if (last === undefined) return true;
  const [a, b] = [decodeCursor(cursor), decodeCursor(last)];
  if (!a || !b) return cursor !== last;
  return a.epoch !== b.epoch || a.seq > b.seq;
}
