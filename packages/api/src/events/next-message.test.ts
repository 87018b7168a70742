import { once } from "node:events";
import { createRequire } from "node:module";
import type { Writable } from "node:stream";
import { expect, test } from "vitest";
import { NextMessage, tailOf } from "./next-message.js";

/** What a client reads frames with; the types of `ws` leave it out. */
const { Receiver }: { Receiver: new (options: { isServer: boolean }) => Writable } = createRequire(import.meta.url)(
  "ws",
);

/** The lengths at which the header of a frame changes its form, and some on either side. */
const LENGTHS = [60, 124, 125, 126, 127, 128, 65_534, 65_535, 65_536, 70_000];

const OTHERS = Array.from({ length: 8 }, (_, i) => `other ${i}`);

test.each(LENGTHS)(
  "a frame of %i bytes is read by any WebSocket client, for operations with ids of any length and number",
  async (bytes) => {
    for (const id of ["1", "a".repeat(17), 'ü"']) {
      const around = JSON.stringify({ type: "next", payload: "", id });
      const text = "x".repeat(Math.max(0, bytes - Buffer.byteLength(around)));
      for (const others of [[], OTHERS]) {
        const message = new NextMessage(JSON.stringify(text));
        for (const other of others) message.frameFor(tailOf(other));
        const receiver = new Receiver({ isServer: false });
        const received = once(receiver, "message");
        for (const piece of message.frameFor(tailOf(id))) receiver.write(piece);
        const [data] = await received;
        expect(data).toHaveLength(Math.max(bytes, Buffer.byteLength(around)));
        expect(JSON.parse(String(data))).toEqual({ type: "next", id, payload: text });
      }
    }
  },
);

test("those with one id share a frame; beyond a few ids they share all but the id", () => {
  const message = new NextMessage("{}");
  expect(message.frameFor(tailOf("1"))).toBe(message.frameFor(tailOf("1")));
  for (const other of OTHERS) message.frameFor(tailOf(other));
  const [[start, end], [sameStart, otherEnd]] = [message.frameFor(tailOf("20")), message.frameFor(tailOf("21"))];
  expect(start).toBe(sameStart);
  expect(end).not.toEqual(otherEnd);
});
