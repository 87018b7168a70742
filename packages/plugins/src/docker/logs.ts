import { clip } from "../clip.js";
import { redact } from "../redact.js";

const HEADER_BYTES = 8;
const MAX_LINE_CHARS = 500;
// As JSON twice as much at most, which leaves room for the rest of the evidence.
const MAX_CHARS = 5_000;

/** The last lines of a container's log, redacted and short enough to be evidence. */
export function logLines(raw: Buffer, hasTerminal: boolean): string[] {
  const text = redact((hasTerminal ? raw : demultiplex(raw)).toString("utf8"));
  const lines = text
    .split(/\r?\n/)
    .filter((line) => line !== "")
    .map((line) => clip(line, MAX_LINE_CHARS));
  let first = lines.length;
  for (let chars = 0; first > 0; first--) {
    chars += lines[first - 1]?.length ?? 0;
    if (chars > MAX_CHARS) break;
  }
  return lines.slice(first);
}

/** The engine frames output as [stream, 0, 0, 0, length as 32 bits] and payload. A torn last frame counts as far as it goes. */
export function demultiplex(raw: Buffer): Buffer {
  const payloads: Buffer[] = [];
  for (let at = 0; at + HEADER_BYTES <= raw.length; ) {
    const start = at + HEADER_BYTES;
    const end = start + raw.readUInt32BE(at + 4);
    payloads.push(raw.subarray(start, end));
    at = end;
  }
  return Buffer.concat(payloads);
}
