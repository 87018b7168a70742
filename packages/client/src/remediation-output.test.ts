import { expect, test } from "vitest";
import { createClient } from "./client.js";
import { startFakeServer } from "./testing/fake-server.js";

const chunks = Array.from({ length: 9 }, (_, seq) => ({ seq, stream: "stdout", offset: seq, text: `${seq}` }));

test("follows a run's output to its end, each chunk once, through a lost connection", async () => {
  let subscriptions = 0;
  async function* output({ after }: { after?: number }) {
    subscriptions++;
    // Begins two chunks too early on purpose, and the first subscription never comes to an end.
    const rest = chunks.slice(Math.max(0, (after ?? -1) - 1));
    if (subscriptions === 1) yield { remediationOutput: { chunks: rest.slice(0, 4), ended: false } };
    else yield { remediationOutput: { chunks: rest, ended: true } };
    if (subscriptions === 1) await new Promise((resolve) => setImmediate(resolve));
  }
  await using server = await startFakeServer({ roots: { remediationOutput: output } });
  const client = createClient({ url: server.url, random: () => 0 });
  const texts: string[] = [];
  for await (const chunk of client.remediationOutput("run")) {
    texts.push(chunk.text);
    if (texts.length === 3) server.drop();
  }
  expect(texts).toEqual(chunks.map((chunk) => chunk.text));
  expect(server.asked("RemediationOutput").map(({ variables }) => variables.after)).toEqual([undefined, 3]);
  await client.close();
});
