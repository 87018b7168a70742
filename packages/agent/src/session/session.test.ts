import { createSocket } from "@poppo-ops/client";
import { expect, onTestFinished, test, vi } from "vitest";
import { prepareIdentity } from "../identity/identity.js";
import { newId } from "../ids.js";
import { manualClock } from "../testing/manual-clock.js";
import { temporaryFolder } from "../testing/temporary-folder.js";
import { startTestServer } from "../testing/test-server.js";
import { Session } from "./session.js";

const soon = { timeout: 20_000, interval: 20 };

async function connected() {
  const folder = temporaryFolder();
  const server = await startTestServer();
  const clock = manualClock();
  const candidate = prepareIdentity(folder.path);
  const agentId = newId();
  server.state.enrolled.push({ id: agentId, name: "test-host", publicKey: candidate.publicKey, facts: {} });
  const identity = candidate.accept({ agentId, serverKey: candidate.publicKey });
  const warnings: string[] = [];
  const random = () => 0;
  const session = new Session({
    ...{ clock, random, onConnected() {}, onDisconnected() {}, onMessage() {}, info() {} },
    warn: (message) => warnings.push(message),
    connect: (onState) =>
      createSocket({
        ...{ url: server.url, random, onState },
        connectionParams: async () => ({
          agent: { id: agentId, assertion: await identity.assertion(clock.now(), newId()) },
        }),
      }),
  });
  onTestFinished(async () => {
    await session.close();
    await server[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });
  await vi.waitFor(() => expect(session.isUp).toBe(true), soon);
  return { server, clock, session, warnings };
}

test("when the clock was set the agent connects anew, once, so that the server measures it again", async () => {
  const { server, clock, session, warnings } = await connected();
  clock.jump(-30_000);
  await clock.advance(5000);
  expect(warnings[0]).toBe("the clock of this host was set by -30 s: connecting anew");
  await vi.waitFor(() => expect(server.state.assertions).toHaveLength(2), soon);
  await vi.waitFor(() => expect(session.isUp).toBe(true), soon);
  await clock.advance(20_000);
  expect(server.state.assertions).toHaveLength(2);
  expect(session.isUp).toBe(true);
});

test("a clock that is corrected a little is left alone", async () => {
  const { server, clock, session, warnings } = await connected();
  clock.jump(1500);
  await clock.advance(20_000);
  expect(warnings).toEqual([]);
  expect(session.isUp).toBe(true);
  expect(server.state.assertions).toHaveLength(1);
});
