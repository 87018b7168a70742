import { Command } from "commander";
import { StatusDocument, type StatusQuery } from "../generated/graphql.js";
import { action } from "./cli.js";
import { incidentTable } from "./incident-view.js";
import type { Output } from "./output.js";
import { stateTable } from "./probe-view.js";
import { runTable } from "./run-view.js";
import { count, when } from "./words.js";

export const statusCommand = (): Command =>
  new Command("status")
    .description("how things are: incidents, agents, failing probes, what waits for you")
    .addHelpText("after", "\nExample:\n  poppo-ops status --json")
    .action(
      action<[]>(async ({ client, out, url }) => {
        const status = await client.request(StatusDocument);
        if (out.json) out.document({ url, ...status });
        else show(out, url, status);
      }),
    );

function show(out: Output, url: string, status: StatusQuery): void {
  const { viewer, processing, open, unacknowledged, agents, online, watched, failing, waiting } = status;
  out.say(`${out.paint("bold", url)} as ${viewer.name}${viewer.role ? ` (${viewer.role})` : ""}`);
  out.say(`${count(open.totalCount, "open incident")}, ${unacknowledged.totalCount} not acknowledged`);
  out.say(
    `${online.totalCount} of ${count(agents.totalCount, "agent")} online, ${failing.totalCount} of ${count(watched.totalCount, "check")} not well`,
  );
  if (processing.paused)
    out.say(
      out.paint(
        "yellow",
        `Remediations are paused by ${processing.owner}, ${when(processing.since, out.now)}: ${processing.reason}`,
      ),
    );
  section(out, "Incidents", open, "incidents list", (nodes) => incidentTable(out, nodes, ""));
  section(out, "Not well", failing, "probes list", (nodes) => stateTable(out, nodes));
  section(out, "Waiting for approval", waiting, "remediations list --status awaiting-approval", (nodes) =>
    runTable(out, nodes),
  );
}

interface Part<Node> {
  nodes: Node[];
  totalCount: number;
}

/** The first of them, and the command that shows them all. */
function section<Node>(
  out: Output,
  title: string,
  { nodes, totalCount }: Part<Node>,
  command: string,
  table: (nodes: Node[]) => void,
): void {
  if (nodes.length === 0) return;
  out.say(`\n${out.paint("bold", title)}`);
  table(nodes);
  if (nodes.length < totalCount) out.say(`${nodes.length} of ${totalCount} shown; see \`poppo-ops ${command}\`.`);
}
