import { ID } from "type-graphql";
import { connectionOf } from "../graphql/connection.js";
import { Node } from "../graphql/node.js";
import { payloadOf } from "../graphql/payload.js";
import { Duration, Json } from "../graphql/scalars.js";
import { typeFrom } from "../graphql/type-from.js";
import { probes } from "./probe.table.js";

export const Probe = typeFrom(
  "Probe",
  probes,
  {
    id: "Its id.",
    name: "Unique.",
    kind: "`<plugin>.<probe>`.",
    config: { description: "What to look at; the plugin's `configSchema` describes it.", type: Json },
    agentSelector: {
      description:
        "Labels an agent must carry to run it; {} means every agent. The agent's name counts as the label `name`.",
      type: Json,
    },
    intervalMs: { description: "From one run to the next.", as: "interval", type: Duration },
    retryIntervalMs: {
      description: "The same while a problem is not believed yet.",
      as: "retryInterval",
      type: Duration,
    },
    timeoutMs: { description: "A run that takes longer is given up.", as: "timeout", type: Duration },
    enabled: "False: no agent runs it.",
    severity: "Of the incident it raises.",
    category: "Of the incident it raises.",
    rules: { description: "When outcomes become an incident, and when it is over.", type: Json },
    remediation: { description: "{kind, input}: what is run when it fails.", type: Json },
    version: "Grows with every change.",
    createdAt: "When it was made.",
    updatedAt: "When it was last changed.",
  },
  { description: "What agents look at, how often, and when that becomes an incident.", implements: Node },
);
export const ProbeConnection = connectionOf("Probe", Probe);
export const ProbePayload = payloadOf("ProbePayload", { probe: { type: () => Probe } });
export const RunProbePayload = payloadOf("CommandPayload", { commandId: { type: () => ID } });
