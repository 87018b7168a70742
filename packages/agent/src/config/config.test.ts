import { writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../testing/temporary-folder.js";
import { loadConfig } from "./config.js";
import { ConfigError } from "./config-error.js";

function load(text: string, env: NodeJS.ProcessEnv = {}) {
  const folder = temporaryFolder();
  onTestFinished(() => folder[Symbol.dispose]());
  writeFileSync(join(folder.path, "agent.yaml"), text);
  writeFileSync(join(folder.path, "policy.yaml"), "maxRisk: R0\n");
  return { folder: folder.path, read: () => loadConfig(join(folder.path, "agent.yaml"), env) };
}

test("needs the server alone and fills in the rest", () => {
  const { read, folder } = load("server: http://poppo.example:3000\ndataDir: data\n", { POPPO_ENROLMENT_TOKEN: "t" });
  expect(read()).toMatchObject({
    name: hostname(),
    dataDir: join(folder, "data"),
    enrolmentToken: "t",
    policy: { maxRisk: "R1", allow: [] },
    spool: { maxBytes: 67_108_864, maxAgeHours: 24 },
    logLevel: "info",
  });
});

test("reads the policy from its own file", () => {
  expect(load("server: http://x\npolicyFile: policy.yaml\n").read().policy.maxRisk).toBe("R0");
});

test.each([
  ["name: a\nsever: http://x\n", 'agent.yaml:2: "sever" is not an option; did you mean "server"?'],
  [
    "server: http://x\npolicy:\n  allow:\n    - remediaton: docker.*\n",
    'agent.yaml:4: "policy.allow[0].remediaton" is not an option; did you mean "remediation"?',
  ],
  ["server: http://x\nname: web 1\n", "agent.yaml:2: name: must begin and end with a letter or digit"],
  [`server: http://x\nname: ${"a".repeat(101)}\n`, "agent.yaml:2: name: must begin and end"],
  ["server: ftp://x\n", "agent.yaml:1: server: must be an http or https URL"],
  ["server: http://x\nlogLevel: loud\n", "agent.yaml:2: logLevel: Invalid option"],
  ["server: [\n", "agent.yaml: "],
  [
    "server: http://x\npolicy:\n  allow:\n    - remediation: *.restart\n      targets: ['*']\n",
    'agent.yaml:4: *.restart is an alias in YAML, of an anchor that is not there; to mean the text, write "*.restart"',
  ],
  ["server: http://x\npolicy:\n  allow: [{ remediation: *, targets: ['*'] }]\n", 'to mean the text, write "*"'],
  ["server: http://x\npolicy: {}\npolicyFile: p\n", "has both `policy` and `policyFile`"],
])("refuses %j and says where and why", (text, message) => {
  expect(load(text).read).toThrow(message);
  expect(load(text).read).toThrow(ConfigError);
});
