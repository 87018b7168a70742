import { crc32 } from "node:zlib";

/**
 * How a record lies on the disk: length u32 · crc32 u32 · index u32 · body (JSON text), little endian. The crc covers
 * index and body. The index, not the place in the file, says which record it is, so that what follows a damaged
 * record keeps its number, and a hole is simply an index that is missing.
 */
const HEADER_BYTES = 12;

/** A body is far below this; a longer length is damage. Its top byte is 0, which JSON text never contains. */
const LONGEST_BODY = 0xff_ffff;

export interface Frame {
  index: number;
  body: Buffer;
  /** Offset just behind the frame. */
  end: number;
}

export function writeFrame(index: number, body: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + body.length);
  frame.writeUInt32LE(body.length, 0);
  frame.writeUInt32LE(index, 8);
  body.copy(frame, HEADER_BYTES);
  frame.writeUInt32LE(crc32(frame.subarray(8)), 4);
  return frame;
}

/** Every whole frame of `data`, in order. Damaged bytes are stepped over until a frame checks out again. */
export function* readFrames(data: Buffer): Generator<Frame> {
  let offset = 0;
  while (offset + HEADER_BYTES <= data.length) {
    const frame = frameAt(data, offset);
    if (frame) yield frame;
    offset = frame?.end ?? offset + 1;
  }
}

function frameAt(data: Buffer, offset: number): Frame | undefined {
  const length = data.readUInt32LE(offset);
  const end = offset + HEADER_BYTES + length;
  if (length === 0 || length > LONGEST_BODY || end > data.length) return undefined;
  if (crc32(data.subarray(offset + 8, end)) !== data.readUInt32LE(offset + 4)) return undefined;
  return { index: data.readUInt32LE(offset + 8), body: data.subarray(offset + HEADER_BYTES, end), end };
}
