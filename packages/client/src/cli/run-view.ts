import type { RemediationRunFieldsFragment } from "../generated/graphql.js";
import { type Output, printable } from "./output.js";
import { when, word } from "./words.js";

export const runTable = (out: Output, runs: RemediationRunFieldsFragment[]): void =>
  out.table(
    ["INCIDENT", "STATUS", "KIND", "TARGET", "RISK", "AGENT", "REQUESTED", "SUMMARY", "RUN"],
    runs.map((run) => [
      run.incident ? `#${run.incident.number}` : "-",
      word(out, run.status),
      run.kind,
      run.target,
      run.risk,
      run.agent.name,
      when(run.requestedAt, out.now),
      run.summary ?? run.reason ?? "",
      run.id,
    ]),
    "No remediation runs.",
  );

export function showRun(out: Output, run: RemediationRunFieldsFragment): void {
  out.say(
    `${out.paint("bold", run.kind)} on ${printable(run.target)}: ${word(out, run.status)}${run.automatic ? ", automatic" : ""}`,
  );
  if (run.summary ?? run.reason) out.say(printable((run.summary ?? run.reason)!));
  out.say("");
  for (const [name, value] of facts(run))
    if (value) out.say(`${out.paint("dim", name.padEnd(12))} ${printable(value)}`);
  const { actions, refusals, reason } = (run.preview ?? {}) as {
    actions?: string[];
    refusals?: string[];
    reason?: string;
  };
  if (run.preview) out.say(`\n${out.paint("bold", "Preview")}`);
  for (const step of actions ?? []) out.say(`  would: ${printable(step)}`);
  for (const refusal of refusals ?? []) out.say(`  ${out.paint("red", "would refuse:")} ${printable(refusal)}`);
  if (reason) out.say(`  cannot preview: ${printable(reason)}`);
}

const facts = (run: RemediationRunFieldsFragment): [string, string | null | undefined][] => [
  ["run", run.id],
  ["risk", run.risk],
  ["agent", run.agent.name],
  ["incident", run.incident && `#${run.incident.number} ${run.incident.title}`],
  ["probe", run.probe && [run.probe.name, run.item].filter(Boolean).join(" / ")],
  ["input", JSON.stringify(run.input)],
  ["requested", `${run.requestedAt} by ${run.requestedBy}`],
  ["decided", run.decidedBy && `by ${run.decidedBy}`],
  ["started", run.startedAt],
  ["finished", run.finishedAt],
  ["verify by", run.verifyBy],
  ["survivors", run.survivors?.length ? `processes ${run.survivors.join(", ")} outlived the stop` : undefined],
];
