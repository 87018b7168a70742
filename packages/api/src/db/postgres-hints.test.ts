import { expect, test } from "vitest";
import { type TestApp, testApp } from "../kernel/testing/test-app.js";
import { postgresHints } from "./postgres-hints.js";

const poll = <T>(look: () => T | Promise<T>) => expect.poll(look, { timeout: 10_000, interval: 10 });
const listeners = async (app: TestApp) =>
  (
    await app.database.pool.query(
      "SELECT pid FROM pg_stat_activity WHERE query = 'LISTEN poppo_hints' AND datname = current_database()",
    )
  ).rows.map(({ pid }) => pid);

test("a hint reaches the other replica, and the own one once; what comes together goes out together", async () => {
  await using app = await testApp();
  const [here, there] = [postgresHints(app, app.url), postgresHints(app, app.url)];
  const heard: string[] = [];
  there.subscribe((topic) => heard.push(topic));
  let own = 0;
  here.subscribe(() => own++);
  await poll(() => listeners(app)).toHaveLength(2);
  const topics = Array.from({ length: 1000 }, (_, i) => `output:${i}-${"x".repeat(30)}`);
  for (const topic of topics) here.publish(topic);
  here.publish(topics[0]!);
  await poll(() => heard.length).toBe(1000);
  expect(heard).toEqual(topics);
  there.publish("the end");
  await poll(() => own).toBe(1002);
  await Promise.all([here.stop(), there.stop()]);
});

test("a listener whose connection breaks listens again", async () => {
  await using app = await testApp();
  const hints = postgresHints(app, app.url);
  const heard: string[] = [];
  await poll(() => listeners(app)).toHaveLength(1);
  const [first] = await listeners(app);
  await app.database.pool.query("SELECT pg_terminate_backend($1)", [first]);
  // What ends may still be listed for a moment.
  await poll(() => listeners(app)).toSatisfy(
    ([pid, ...others]: number[]) => pid !== undefined && pid !== first && others.length === 0,
  );
  hints.subscribe((topic) => heard.push(topic));
  await app.database.pool.query("SELECT pg_notify('poppo_hints', E'somebody\\nfrom\\nanother replica')");
  await poll(() => heard).toEqual(["from", "another replica"]);
  await hints.stop();
});

test("without a database publishing fails nobody, and stop ends", async () => {
  await using app = await testApp();
  const hints = postgresHints(app, "postgres://nobody@127.0.0.1:1/none");
  hints.publish("events");
  await hints.stop();
});
