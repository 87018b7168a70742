import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { AcknowledgeIncidentDocument, RaiseIncidentDocument, unwrap } from "@poppo-ops/client";
import { expect, test } from "vitest";
import { ADMIN_TOKEN, startServerProcess } from "../harness/server-process.js";

const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");

/** The code block that follows a `<!-- test: name -->` mark. */
function snippet(name: string): string {
  const [, code] = new RegExp(`<!-- test: ${name} -->\\n\`\`\`js\\n([\\s\\S]*?)\`\`\``).exec(readme) ?? [];
  if (!code) throw new Error(`README.md has no snippet ${name}`);
  return code;
}

test("the README's plain graphql-ws client works as printed, and goes on after the server was killed", async () => {
  await using server = await startServerProcess();
  // Beside this file, so that its imports are found as a user's would be.
  const program = fileURLToPath(new URL(`./readme-snippet-${process.pid}.mjs`, import.meta.url));
  await writeFile(program, snippet("plain-client"));
  const child = spawn(process.execPath, [program], {
    env: { ...process.env, POPPO_URL: server.url, POPPO_TOKEN: ADMIN_TOKEN },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  try {
    const raise = async (title: string) =>
      unwrap((await server.client.request(RaiseIncidentDocument, { input: { title, severity: "P1" } })).raiseIncident)
        .incident!;
    // Until it is subscribed, "from now" has not begun.
    const raised = async () => {
      await raise("disk is full");
      return output;
    };
    await expect.poll(raised, { timeout: 15_000, interval: 300 }).toContain("incident.raised P1 disk is full");
    await server.kill9();
    await server.start();
    const second = await raise("disk is full again");
    unwrap(
      (await server.client.request(AcknowledgeIncidentDocument, { input: { id: second.id } })).acknowledgeIncident,
    );
    await expect
      .poll(() => output, { timeout: 30_000 })
      .toMatch(/incident\.raised P1 disk is full again\nincident\.acknowledged/);
  } finally {
    const gone = child.exitCode === null ? once(child, "exit") : undefined;
    child.kill();
    await gone;
    await rm(program);
  }
}, 90_000);
