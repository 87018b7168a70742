import type { Risk } from "@poppo-ops/plugins";
import type { Policy } from "../config/config.js";

/** @returns why this host does not let the server do it; `undefined` when it does */
export function refusalOfPolicy(policy: Policy, kind: string, risk: Risk, target: string): string | undefined {
  if (risk <= policy.maxRisk) return undefined;
  const rules = policy.allow.filter((rule) => matches(rule.remediation, kind));
  if (rules.some((rule) => rule.targets.some((glob) => matches(glob, target)))) return undefined;
  const why = rules.length > 0 ? `no rule for ${kind} names the target "${target}"` : `no rule allows ${kind}`;
  const rule = `{ remediation: ${kind}, targets: ["${target}"] }`;
  return `${kind} is ${risk}, this host allows ${policy.maxRisk}, and ${why}; whoever may add ${rule} to policy.allow on that host can change this`;
}

/** `*` stands for any text, `?` for one character. */
export function matches(glob: string, text: string): boolean {
  const pattern = glob
    .split(/([*?])/)
    .map((part) => (part === "*" ? ".*" : part === "?" ? "." : part.replace(/[\\^$.|+()[\]{}]/g, "\\$&")))
    .join("");
  return new RegExp(`^${pattern}$`, "s").test(text);
}
