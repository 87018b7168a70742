import type { OutcomeStatus } from "@poppo-ops/plugins/wire";
import { Field, ID, InputType } from "type-graphql";
import { connectionOf } from "../graphql/connection.js";
import { OutcomeStatusEnum } from "../graphql/enums.js";
import { DateTime } from "../graphql/scalars.js";
import { typeFrom } from "../graphql/type-from.js";
import { type ProbeResultConditions, probeResults } from "./probe-result.query.js";

/** One run of a probe, as its agent reported it. */
export const ProbeResult = typeFrom("ProbeResult", probeResults, {
  at: "When the agent looked.",
  item: "Which of the probe's targets; empty when it has one.",
  status: { description: "What came of it.", type: OutcomeStatusEnum },
  summary: "What was seen, in one line.",
  durationMs: "How long it took.",
});
export const ProbeResultConnection = connectionOf("ProbeResult", ProbeResult);

@InputType({ description: "Every condition given must hold." })
export class ProbeResultFilter implements ProbeResultConditions {
  @Field(() => ID) probeId!: string;
  @Field(() => [ID], { nullable: true }) agentIds?: string[] | null;
  @Field(() => String, { nullable: true }) item?: string | null;
  @Field(() => [OutcomeStatusEnum], { nullable: true }) statuses?: OutcomeStatus[] | null;
  @Field(() => DateTime, { nullable: true, description: "An hour before `until` when absent." })
  since?: Date | null;
  @Field(() => DateTime, { nullable: true, description: "Up to, and without, this moment; now when absent." })
  until?: Date | null;
}
