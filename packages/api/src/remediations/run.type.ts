import { Field, ID, InputType, Int, ObjectType } from "type-graphql";
import { connectionOf } from "../graphql/connection.js";
import { publishEnum } from "../graphql/enums.js";
import { Node } from "../graphql/node.js";
import { payloadOf } from "../graphql/payload.js";
import { Duration } from "../graphql/scalars.js";
import { typeFrom } from "../graphql/type-from.js";
import type { OutputPage as Page } from "./output-reader.js";
import { POLICY_MODES, processing, remediationPolicies, remediationRuns } from "./remediation.table.js";
import type { RunConditions } from "./run.query.js";
import { RUN_STATUSES, type RunStatus } from "./run.state.js";

const RunStatusEnum = publishEnum("RunStatus", RUN_STATUSES, "Where a remediation run stands.");
publishEnum("PolicyMode", POLICY_MODES, "Who lets a remediation begin.");

export const RemediationRun = typeFrom(
  "RemediationRun",
  remediationRuns,
  {
    id: "Its id.",
    kind: "`<plugin>.<remediation>`.",
    target: "What it has alone while it runs, for example `docker/web`.",
    risk: "R0 reads, R1 is reversible, R2 disrupts briefly, R3 changes data or causes a wide outage.",
    status: "Where it stands.",
    automatic: "A policy made it, no person.",
    reason: "Why it was decided so.",
    item: "What of the probe it is about; empty when the probe has one target.",
    preview: "`{ possible: true, actions, refusals }` or `{ possible: false, reason }`; null until it is there.",
    requestedBy: "Who asked for it.",
    decidedBy: "Who approved, rejected or cancelled it.",
    requestedAt: "When it was asked for.",
    startedAt: "When its agent began.",
    finishedAt: "When it had ended, verification included.",
    verifyBy: "Until when the probe has to be green.",
    summary: "How it ended.",
    survivors: { description: "Process ids that outlived its stop.", type: [Int] },
  },
  { description: "One remediation of one target: asked for, decided, run, verified.", implements: Node },
);
export const RemediationRunConnection = connectionOf("RemediationRun", RemediationRun);
export const RemediationRunPayload = payloadOf("RemediationRunPayload", { run: { type: () => RemediationRun } });

export const RemediationPolicy = typeFrom(
  "RemediationPolicy",
  remediationPolicies,
  {
    id: "Its id.",
    mode: "Who lets the probe's remediation begin.",
    cooldownMs: {
      as: "cooldown",
      type: Duration,
      description: "From the end of any run on a target to the next automatic one.",
    },
    maxAttempts: "Runs on a target per window, a person's counted too, after which none is automatic.",
    windowMs: { as: "window", type: Duration, description: "What maxAttempts counts in." },
    breakerAfter: "Fixes in a row that did not help, until automation stays away.",
    maxShare: "Share of the service's (or probe's) targets that may be under repair at once.",
    updatedAt: "When it was set.",
    updatedBy: "Who set it.",
  },
  { description: "How the remediation of a probe may run.", implements: Node },
);
export const RemediationPolicyConnection = connectionOf("RemediationPolicy", RemediationPolicy);
export const RemediationPolicyPayload = payloadOf("RemediationPolicyPayload", {
  policy: { type: () => RemediationPolicy },
});

export const Processing = typeFrom(
  "Processing",
  processing,
  {
    paused: "No remediation begins while it is.",
    reason: "Why it is paused.",
    owner: "Who paused it.",
    since: "Since when.",
    until: "When it resumes by itself; null: it does not.",
  },
  { description: "The kill switch for remediations." },
);
export const ProcessingPayload = payloadOf("ProcessingPayload", { processing: { type: () => Processing } });

@ObjectType({
  description: "A piece of a run's output; `seq` is dense, `offset` counts the bytes of its stream before it.",
})
export class OutputChunk {
  @Field(() => Int) seq!: number;
  @Field(() => String, { description: "stdout, stderr or system." }) stream!: "stdout" | "stderr" | "system";
  @Field(() => Int) offset!: number;
  @Field(() => String) text!: string;
}

@ObjectType({ description: "Output in its order." })
export class OutputPage implements Page {
  @Field(() => [OutputChunk]) chunks!: OutputChunk[];
  @Field(() => Boolean, { description: "Nothing follows." }) ended!: boolean;
}

@InputType({ description: "Every condition given must hold." })
export class RunFilter implements RunConditions {
  @Field(() => [RunStatusEnum], { nullable: true, description: "In one of these states." }) statuses?:
    | RunStatus[]
    | null;
  @Field(() => [ID], { nullable: true, description: "For these incidents." }) incidentIds?: string[] | null;
  @Field(() => [ID], { nullable: true, description: "On these agents." }) agentIds?: string[] | null;
}
