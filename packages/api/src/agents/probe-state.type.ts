import type { Metrics, OutcomeStatus } from "@poppo-ops/plugins/wire";
import { Field, Float, ID, InputType, ObjectType } from "type-graphql";
import { connectionOf } from "../graphql/connection.js";
import { OutcomeStatusEnum } from "../graphql/enums.js";
import { typeFrom } from "../graphql/type-from.js";
import { probeState } from "./probe.table.js";
import type { ProbeStateConditions } from "./probe-state.query.js";

export const ProbeState = typeFrom(
  "ProbeState",
  probeState,
  {
    item: "Which of the probe's targets; empty when it has one.",
    status: "The last outcome.",
    hardStatus: "The status that is believed.",
    attempt: "Outcomes in a row that contradict what is believed.",
    flapping: "It changes so often that no recovery is believed.",
    reporting: "False: results are expected and do not come.",
    since: "When the current good or bad streak began.",
    lastAt: "When it was last looked at.",
    summary: "What was seen, in one line.",
    evidence: "What was seen, in detail.",
  },
  { description: "Where one probed thing stands." },
);
export const ProbeStateConnection = connectionOf("ProbeState", ProbeState);

@ObjectType({ description: "A measured value and its unit." })
export class Metric {
  @Field(() => String) name!: string;
  @Field(() => Float) value!: number;
  @Field(() => String) unit!: string;
}

export const metricsOf = (metrics: Metrics | null): Metric[] =>
  Object.entries(metrics ?? {}).map(([name, [value, unit]]) => ({ name, value, unit }));

@InputType({ description: "Every condition given must hold." })
export class ProbeStateFilter implements ProbeStateConditions {
  @Field(() => [ID], { nullable: true, description: "Of these agents." }) agentIds?: string[] | null;
  @Field(() => [ID], { nullable: true, description: "Of these probes." }) probeIds?: string[] | null;
  @Field(() => [OutcomeStatusEnum], { nullable: true, description: "Whose last outcome is one of these." }) statuses?:
    | OutcomeStatus[]
    | null;
}
