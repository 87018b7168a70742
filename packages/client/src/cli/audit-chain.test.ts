import { expect, test } from "vitest";
import { chain } from "../testing/chain.js";
import { verifyChain } from "./audit-chain.js";

type Records = ReturnType<typeof chain>;

test("an unbroken chain is proven to its end", async () => {
  const all = chain(5);
  expect(await verifyChain(all)).toEqual({ verified: 5, last: { seq: "5", hash: all[4]!.hash } });
});

test.each([
  ["a changed body", (all: Records) => all.map((r) => (r.seq === "3" ? { ...r, body: "[3]" } : r)), "3"],
  ["a changed hash", (all: Records) => all.map((r) => (r.seq === "3" ? { ...r, hash: "00" } : r)), "3"],
  ["a record left out", (all: Records) => all.filter((r) => r.seq !== "3"), "4"],
  ["a record repeated", (all: Records) => [...all.slice(0, 3), all[2]!, ...all.slice(3)], "3"],
  [
    "a beginning left out, though the header promises it",
    (all: Records) => [{ after: "0", hash: "" }, ...all.slice(1)],
    "2",
  ],
])("%s is found, with its seq", async (_what, tamper, seq) => {
  expect((await verifyChain(tamper(chain(5)))).broken?.seq).toBe(seq);
});

test("a file that begins in the middle proves what follows its first record, or all of it with the hash before", async () => {
  const [first, ...rest] = chain(5);
  expect(await verifyChain(rest)).toMatchObject({ verified: 3, trusted: "2" });
  expect(await verifyChain(rest, first!.hash)).toMatchObject({ verified: 4, last: { seq: "5" } });
  expect((await verifyChain(rest, "00")).broken?.seq).toBe("2");
});
