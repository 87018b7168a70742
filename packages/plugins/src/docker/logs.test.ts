import { expect, test } from "vitest";
import { demultiplex, logLines } from "./logs.js";

const frame = (text: string, length = Buffer.byteLength(text)): Buffer => {
  const header = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(length, 4);
  return Buffer.concat([header, Buffer.from(text)]);
};

test("frames are joined, also where one cuts a line", () => {
  expect(logLines(Buffer.concat([frame("one\ntw"), frame("o\n")]), false)).toEqual(["one", "two"]);
});

test("a torn header or payload counts as far as it goes", () => {
  expect(demultiplex(Buffer.concat([frame("ab"), frame("cd", 1_000_000)])).toString()).toBe("abcd");
  expect(demultiplex(Buffer.concat([frame("ab"), Buffer.from([1, 0, 0])])).toString()).toBe("ab");
  expect(demultiplex(Buffer.alloc(0))).toHaveLength(0);
});

test("of endless lines the last are kept, and short enough to be evidence", () => {
  const lines = logLines(Buffer.from(`${'\u001b"'.repeat(400)}\n`.repeat(200).concat("last\n")), true);
  expect(lines.at(-1)).toBe("last");
  expect(JSON.stringify(lines).length).toBeLessThan(12_000);
});
