import type { OutcomeStatus } from "@poppo-ops/plugins/wire";
import { Field, ID, InputType } from "type-graphql";
import { connectionOf } from "../graphql/connection.js";
import { OutcomeStatusEnum } from "../graphql/enums.js";
import { DateTime } from "../graphql/scalars.js";
import { typeFrom } from "../graphql/type-from.js";
import { type ProbeResultConditions, probeResults } from "./probe-result.query.js";

export const ProbeResult = typeFrom(
  "ProbeResult",
  probeResults,
  {
    at: "When the agent looked.",
    item: "Which of the probe's targets; empty when it has one.",
    status: { description: "What came of it.", type: OutcomeStatusEnum },
    summary: "What was seen, in one line.",
    durationMs: "How long it took.",
  },
  { description: "One run of a probe, as its agent reported it." },
);
export const ProbeResultConnection = connectionOf("ProbeResult", ProbeResult);

@InputType({ description: "Every condition given must hold." })
export class ProbeResultFilter implements ProbeResultConditions {
  @Field(() => ID, { description: "The probe whose results they are." }) probeId!: string;
  @Field(() => [ID], { nullable: true, description: "Of these agents." }) agentIds?: string[] | null;
  @Field(() => String, { nullable: true, description: "Of this target of the probe." }) item?: string | null;
  @Field(() => [OutcomeStatusEnum], { nullable: true, description: "With one of these outcomes." }) statuses?:
    | OutcomeStatus[]
    | null;
  @Field(() => DateTime, { nullable: true, description: "An hour before `until` when absent." })
  since?: Date | null;
  @Field(() => DateTime, { nullable: true, description: "Up to, and without, this moment; now when absent." })
  until?: Date | null;
}
