/**
 * Arrays in PostgreSQL's binary format, for the few statements whose parameters are large. node-postgres sends a Buffer as
 * it is. Text arrays cost the server's parser and ours, with a string per element: for 4,000 results the whole way into the
 * database takes about two thirds of the time. The element type must be the one the statement casts to.
 * https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/utils/adt/arrayfuncs.c (array_recv)
 */
const HEADER = 20;
/** An array without elements has no dimension, and no byte may follow. */
const EMPTY_HEADER = 12;

/** Object ids of the element types; they are fixed in PostgreSQL's catalogue. */
const INT2 = 21;
const INT4 = 23;
const INT8 = 20;
const FLOAT4 = 700;
const TEXT = 25;
const TIMESTAMPTZ = 1184;

type Put = (buffer: Buffer, value: number, offset: number) => void;

const fixed =
  (type: number, size: number, put: Put) =>
  (values: readonly number[]): Buffer => {
    const buffer = Buffer.allocUnsafe(HEADER + values.length * (4 + size));
    let offset = header(buffer, type, values.length);
    for (const value of values) {
      buffer.writeInt32BE(size, offset);
      put(buffer, value, offset + 4);
      offset += 4 + size;
    }
    return buffer.subarray(0, offset);
  };

export const smallintArray = fixed(INT2, 2, (buffer, value, offset) => buffer.writeInt16BE(value, offset));
export const intArray = fixed(INT4, 4, (buffer, value, offset) => buffer.writeInt32BE(value, offset));
export const realArray = fixed(FLOAT4, 4, (buffer, value, offset) => buffer.writeFloatBE(value, offset));
/** @param values whole numbers within ±2^53 */
export const bigintArray = fixed(INT8, 8, putInt64);

/** PostgreSQL counts microseconds from the year 2000. */
const EPOCH_2000_MS = Date.UTC(2000, 0, 1);
/** @param values milliseconds since 1970 */
export const timestampArray = fixed(TIMESTAMPTZ, 8, (buffer, value, offset) =>
  putInt64(buffer, Math.round((value - EPOCH_2000_MS) * 1000), offset),
);

export function textArray(values: readonly (string | null)[]): Buffer {
  // A UTF-16 unit takes at most three bytes of UTF-8.
  const bound = values.reduce((sum, value) => sum + 4 + (value?.length ?? 0) * 3, HEADER);
  const buffer = Buffer.allocUnsafe(bound);
  let offset = header(buffer, TEXT, values.length);
  for (const value of values) {
    const length = value === null ? -1 : buffer.write(value, offset + 4);
    buffer.writeInt32BE(length, offset);
    offset += 4 + Math.max(length, 0);
  }
  return buffer.subarray(0, offset);
}

/** One dimension that counts from 1. @returns where the elements begin */
function header(buffer: Buffer, type: number, length: number): number {
  const mayHaveNulls = 1;
  const fields = [length === 0 ? 0 : 1, mayHaveNulls, type, length, 1];
  for (const [i, field] of fields.entries()) buffer.writeInt32BE(field, i * 4);
  return length === 0 ? EMPTY_HEADER : HEADER;
}

function putInt64(buffer: Buffer, value: number, offset: number): void {
  const high = Math.floor(value / 2 ** 32);
  buffer.writeInt32BE(high, offset);
  buffer.writeUInt32BE(value - high * 2 ** 32, offset + 4);
}
