import { expect, test } from "vitest";
import { refusalOfPolicy } from "./policy.js";

const policy = {
  maxRisk: "R1" as const,
  allow: [{ remediation: "docker.*", targets: ["docker/web-*", "docker/cache"] }],
};

test.each([
  ["process.reload", "R1", "process/x", undefined],
  ["docker.restart", "R2", "docker/web-1", undefined],
  ["docker.restart", "R2", "docker/cache", undefined],
  ["docker.restart", "R2", "docker/cache2", 'no rule for docker.restart names the target "docker/cache2"'],
  ["docker.restart", "R2", "xdocker/web-1", "no rule for docker.restart names the target"],
  [
    "process.restart",
    "R2",
    "docker/web-1",
    "process.restart is R2, this host allows R1, and no rule allows process.restart",
  ],
] as const)("%s (%s) on %s: %s", (kind, risk, target, refusal) => {
  if (refusal === undefined) expect(refusalOfPolicy(policy, kind, risk, target)).toBeUndefined();
  else expect(refusalOfPolicy(policy, kind, risk, target)).toContain(refusal);
});
