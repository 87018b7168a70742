import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { CreateIntegrationDocument, IncidentsDocument, unwrap } from "@poppo-ops/client";
import { describe, expect, test } from "vitest";
import { testDatabase } from "../../packages/api/src/db/testing/test-database.js";
import { documentedConfig, hasAlertmanager, startAlertmanager } from "../harness/alertmanager-process.js";
import { type ServerProcess, startServerProcess } from "../harness/server-process.js";

describe.skipIf(!hasAlertmanager())("a real Alertmanager", () => {
  test("takes the configuration that the documentation shows", async () => {
    const folder = await mkdtemp(join(tmpdir(), "poppo-amtool-"));
    await writeFile(join(folder, "alertmanager.yml"), await documentedConfig());
    const { stdout } = await promisify(execFile)("amtool", ["check-config", join(folder, "alertmanager.yml")]);
    expect(stdout).toContain("SUCCESS");
    await rm(folder, { recursive: true });
  });

  test("delivers through kill -9 of the server: each alert is one incident, and its end resolves it", async () => {
    await using database = await testDatabase();
    await using server = await startServerProcess({ DATABASE_URL: database.url });
    await using alertmanager = await startAlertmanager(await configFor(server));
    const startsAt = new Date(Date.now() - 60_000);
    const fire = (instance: string) => ({ labels: { alertname: "Down", instance, severity: "critical" }, startsAt });
    const fails = async () => {
      const before = await alertmanager.failedRequests();
      await expect.poll(alertmanager.failedRequests, { timeout: 20_000 }).toBeGreaterThan(before);
    };
    const incidents = async () =>
      (await server.client.request(IncidentsDocument, { filter: {} })).incidents.nodes
        .map(({ title, status, severity }) => `${severity} ${title}: ${status}`)
        .sort();

    await alertmanager.post([fire("a")]);
    await expect.poll(incidents, { timeout: 20_000 }).toEqual(["P1 Down on a: TRIGGERED"]);

    await server.kill9();
    await alertmanager.post([{ ...fire("a"), endsAt: new Date() }, fire("b")]);
    await fails();
    await server.start();
    await expect.poll(incidents, { timeout: 40_000 }).toEqual(["P1 Down on a: RESOLVED", "P1 Down on b: TRIGGERED"]);

    await server.kill9();
    await alertmanager.post([{ ...fire("b"), endsAt: new Date() }]);
    await fails();
    await server.start();
    await expect.poll(incidents, { timeout: 40_000 }).toEqual(["P1 Down on a: RESOLVED", "P1 Down on b: RESOLVED"]);
  }, 150_000);
});

/** The documented configuration with the address of this server, and without the waiting. */
async function configFor({ client, url }: ServerProcess): Promise<string> {
  const input = { name: "production", kind: "ALERTMANAGER" as const };
  const { path } = unwrap((await client.request(CreateIntegrationDocument, { input })).createIntegration);
  return (await documentedConfig())
    .replace(/url: .*/, `url: ${url}${path}`)
    .replace(/group_wait: .*/, "group_wait: 0s")
    .replace(/group_interval: .*/, "group_interval: 1s");
}
