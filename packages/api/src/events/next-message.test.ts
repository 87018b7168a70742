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

test.each(LENGTHS)(
  "a frame of %i bytes is read by any WebSocket client, for operations with ids of any length",
  async (bytes) => {
    for (const id of ["1", "a".repeat(17), 'ü"']) {
      const tail = tailOf(id);
      const empty = new NextMessage('""').startOf(tail.length).length - 2 + tail.length;
      const text = "x".repeat(Math.max(0, bytes - empty));
      const message = new NextMessage(JSON.stringify(text));
      const receiver = new Receiver({ isServer: false });
      const received = once(receiver, "message");
      receiver.write(message.startOf(tail.length));
      receiver.write(tail);
      const [data] = await received;
      expect(JSON.parse(String(data))).toEqual({ type: "next", id, payload: text });
    }
  },
);

test("those whose ids have one length share the bytes", () => {
  const message = new NextMessage("{}");
  expect(message.startOf(20)).toBe(message.startOf(20));
  expect(message.startOf(21)).not.toBe(message.startOf(20));
});
