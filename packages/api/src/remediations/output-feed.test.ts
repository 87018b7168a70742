import { afterAll, beforeAll, expect, test } from "vitest";
import type { GraphqlSocket } from "../http/testing/graphql-socket.js";
import { newId } from "../kernel/ids.js";
import { newItem, RepairShop } from "./testing/repair-shop.js";

let shop: RepairShop;
let other: RepairShop;
beforeAll(async () => {
  shop = await RepairShop.open();
  other = await RepairShop.open({ database: shop.server.database });
});
afterAll(async () => {
  await other[Symbol.asyncDispose]();
  await shop[Symbol.asyncDispose]();
});

const OUTPUT =
  "subscription ($runId: ID!, $after: Int) { remediationOutput(runId: $runId, after: $after) { chunks { seq text } ended } }";

interface Page {
  chunks: { seq: number; text: string }[];
  ended: boolean;
}

const pagesOf = (socket: GraphqlSocket, id: string): Page[] =>
  socket.received.flatMap((message) =>
    message.id === id && message.type === "next" ? message.payload.data.remediationOutput : [],
  );
const textOf = (pages: Page[]) => pages.flatMap(({ chunks }) => chunks.map(({ text }) => text)).join("");

test("readers on two replicas, one from before the command existed, get every chunk once and the end last", async () => {
  const item = newItem();
  const incidentId = await shop.fails(await shop.probe(), item);
  const { run } = await shop.request({ incidentId });
  await using here = await shop.server.socket();
  await using there = await other.server.socket();
  const [early, alsoEarly] = [here, here].map((socket) => socket.subscribe(OUTPUT, { runId: run!.id }));
  const far = there.subscribe(OUTPUT, { runId: run!.id });
  await shop.approve(run!.id);
  const command = await shop.agent.begins(item);
  await shop.agent.writes(command, 0, "stopping\n", "stopped\n");
  await expect.poll(() => textOf(pagesOf(there, far)), { timeout: 5000 }).toBe("stopping\nstopped\n");
  const late = here.subscribe(OUTPUT, { runId: run!.id, after: 0 });
  await shop.agent.writes(command, 2, ...Array.from({ length: 120 }, (_, i) => `line ${i}\n`));
  await shop.agent.reports(command, { end: "FAILED" });
  for (const [socket, id] of [
    [here, early!],
    [here, alsoEarly!],
    [there, far],
    [here, late],
  ] as const) {
    await socket.next((message) => message.id === id && message.type === "complete");
    const pages = pagesOf(socket, id);
    const seqs = pages.flatMap(({ chunks }) => chunks.map(({ seq }) => seq));
    expect(seqs).toEqual(Array.from({ length: id === late ? 121 : 122 }, (_, i) => i + (id === late ? 1 : 0)));
    expect(pages.map(({ ended }) => ended)).toEqual(pages.map((_, i) => i === pages.length - 1));
  }
});

test("a run that ends without a command ends its readers, and a query says the same", async () => {
  const incidentId = await shop.fails(await shop.probe(), newItem());
  const { run } = await shop.request({ incidentId });
  await using socket = await shop.server.socket();
  const id = socket.subscribe(OUTPUT, { runId: run!.id });
  await shop.reject(run!.id);
  await socket.next((message) => message.id === id && message.type === "complete");
  expect(pagesOf(socket, id)).toEqual([{ chunks: [], ended: true }]);
  const { data } = await shop.server.ask(
    "query ($id: ID!) { remediationRun(id: $id) { output { chunks { seq } ended } } }",
    {
      id: run!.id,
    },
  );
  expect(data.remediationRun.output).toEqual({ chunks: [], ended: true });
});

test("a reader that leaves is forgotten, and an unknown run is refused", async () => {
  const item = newItem();
  const incidentId = await shop.fails(await shop.probe(), item);
  const { run } = await shop.request({ incidentId });
  await using socket = await shop.server.socket();
  const id = socket.subscribe(OUTPUT, { runId: run!.id });
  await shop.approve(run!.id);
  const command = await shop.agent.begins(item);
  await shop.agent.writes(command, 0, "first\n");
  await expect.poll(() => textOf(pagesOf(socket, id))).toBe("first\n");
  socket.complete(id);
  const { errors } = await socket.ask(OUTPUT, { runId: newId() });
  expect(errors[0].extensions.code).toBe("NOT_FOUND");
  await shop.agent.writes(command, 1, "second\n");
  const again = socket.subscribe(OUTPUT, { runId: run!.id, after: 0 });
  await expect.poll(() => textOf(pagesOf(socket, again))).toBe("second\n");
  expect(textOf(pagesOf(socket, id))).toBe("first\n");
});
