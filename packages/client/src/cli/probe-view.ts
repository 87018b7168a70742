import type { ProbeFieldsFragment, ProbeStateFieldsFragment } from "../generated/graphql.js";
import type { Output } from "./output.js";
import { list, when, word } from "./words.js";

export const stateTable = (
  out: Output,
  states: ProbeStateFieldsFragment[],
  empty = "No probe has reported yet.",
): void =>
  out.table(
    ["PROBE", "AGENT", "ITEM", "STATUS", "SINCE", "INCIDENT", "SUMMARY"],
    [...states]
      .sort(byName)
      .map((state) => [
        state.probe.name,
        state.agent.name,
        state.item || "-",
        status(out, state),
        when(state.since, out.now),
        state.incident ? `#${state.incident.number}` : "-",
        state.summary,
      ]),
    empty,
  );

export const definitionTable = (out: Output, probes: ProbeFieldsFragment[]): void =>
  out.table(
    ["NAME", "KIND", "EVERY", "SEVERITY", "ENABLED", "AGENTS WITH", "ID"],
    probes.map((probe) => [
      probe.name,
      probe.kind,
      probe.interval,
      probe.severity,
      probe.enabled ? "yes" : "no",
      list(probe.agentSelector),
      probe.id,
    ]),
    "No probes.",
  );

const byName = (a: ProbeStateFieldsFragment, b: ProbeStateFieldsFragment): number =>
  a.probe.name.localeCompare(b.probe.name) || a.agent.name.localeCompare(b.agent.name) || a.item.localeCompare(b.item);

function status(out: Output, { status, hardStatus, flapping, reporting, attempt }: ProbeStateFieldsFragment): string {
  if (!reporting) return out.paint("magenta", "SILENT");
  const soft = status === hardStatus ? "" : ` (attempt ${attempt})`;
  return `${word(out, status)}${flapping ? " flapping" : soft}`;
}
