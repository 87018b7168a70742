import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startFakeServer } from "../testing/fake-server.js";
import { connection } from "../testing/sample-data.js";
import { testCli } from "../testing/test-cli.js";
import { writeCredentials } from "./credentials.js";

const cli = testCli();
const { asked, roots } = cli;

test("credentials come from the saved file, for the server they were saved for only", async () => {
  roots.incidents = () => connection([]);
  await writeCredentials(join(cli.shell.home, ".poppo"), { url: cli.server.url, token: "saved" });
  await cli.shell.run(["incidents", "list"]);
  expect(asked("Incidents")[0]!.authorization).toBe("Bearer saved");
  await using other = await startFakeServer({ roots });
  await cli.shell.run(["incidents", "list", "--url", other.url]);
  expect(other.asked("Incidents")[0]!.authorization).toBeUndefined();
});

test("credentials are looked for as docs/configuration.md says: `~` is the home, an empty variable counts as absent", async () => {
  roots.incidents = () => connection([]);
  await writeCredentials(join(cli.shell.home, "ops"), { url: cli.server.url, token: "saved" });
  const empty = { POPPO_URL: "", POPPO_TOKEN: "", POPPO_HOST: "", POPPO_PORT: "" };
  await cli.shell.run(["incidents", "list"], { env: { ...empty, POPPO_DATA_DIR: "~/ops" } });
  expect(asked("Incidents")[0]!.authorization).toBe("Bearer saved");
  const { stderr } = await cli.shell.run(["incidents", "list"], {
    env: { ...empty, POPPO_DATA_DIR: "", POPPO_PORT: String(cli.server.port) },
  });
  expect(stderr).toBe("");
  expect(asked("Incidents")[1]!.authorization).toBeUndefined();
});

test("a credentials file that is damaged is named", async () => {
  await writeFile(join(cli.shell.home, "credentials.json"), "{");
  const { stderr, code } = await cli.shell.run(["status"], { env: { POPPO_DATA_DIR: cli.shell.home } });
  expect(stderr).toContain(`${join(cli.shell.home, "credentials.json")} is not JSON`);
  expect(code).toBe(1);
});
