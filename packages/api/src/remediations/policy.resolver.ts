import { Arg, Ctx, FieldResolver, Int, Mutation, Query, Resolver, Root } from "type-graphql";
import { probeById } from "../agents/probe.query.js";
import type { ProbeRow } from "../agents/probe.table.js";
import { Probe } from "../agents/probe.type.js";
import type { Connection } from "../graphql/connection.js";
import type { Context } from "../graphql/context.js";
import { payload } from "../graphql/payload.js";
import { Requires } from "../graphql/policy.js";
import { DateTime } from "../graphql/scalars.js";
import { inputFrom } from "../graphql/type-from.js";
import { DeletePayload } from "../services/service.resolver.js";
import { deleteRemediationPolicy, setRemediationPolicy } from "./policy.service.js";
import { pauseProcessing, readProcessing, resumeProcessing } from "./processing.service.js";
import type { RemediationPolicyRow } from "./remediation.table.js";
import { breakerOpenOf, findPolicies } from "./run.query.js";
import {
  Processing,
  ProcessingPayload,
  RemediationPolicy,
  RemediationPolicyConnection,
  RemediationPolicyPayload,
} from "./run.type.js";

const SetRemediationPolicyInput = inputFrom("SetRemediationPolicyInput", setRemediationPolicy.input);
const DeleteRemediationPolicyInput = inputFrom("DeleteRemediationPolicyInput", deleteRemediationPolicy.input);
const PauseProcessingInput = inputFrom("PauseProcessingInput", pauseProcessing.input);
const ResumeProcessingInput = inputFrom("ResumeProcessingInput", resumeProcessing.input);

@Resolver(() => RemediationPolicy)
export class RemediationPolicyResolver {
  @Query(() => RemediationPolicyConnection, { description: "What differs from: approval needed, default limits." })
  @Requires("read")
  async remediationPolicies(
    @Arg("first", () => Int, { defaultValue: 50 }) first: number,
    @Arg("after", () => String, { nullable: true }) after: string | null,
    @Ctx() { scope }: Context,
  ): Promise<Connection<RemediationPolicyRow>> {
    return findPolicies(scope.app.database.db, { first, after });
  }

  @FieldResolver(() => Probe)
  async probe(@Root() { probeId }: RemediationPolicyRow, @Ctx() { loaders }: Context): Promise<ProbeRow | null> {
    return loaders.load(probeById, probeId);
  }

  @FieldResolver(() => DateTime, {
    nullable: true,
    description:
      "Set while some target's fix did not help too often: automation stays away from that target until then.",
  })
  async breakerOpenUntil(@Root() { probeId }: RemediationPolicyRow, @Ctx() { loaders }: Context): Promise<Date | null> {
    return loaders.load(breakerOpenOf, probeId);
  }

  @Mutation(() => RemediationPolicyPayload, { description: "Replaces the probe's policy." })
  @Requires(setRemediationPolicy.permission)
  async setRemediationPolicy(
    @Arg("input", () => SetRemediationPolicyInput) input: InstanceType<typeof SetRemediationPolicyInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => setRemediationPolicy(scope, input));
  }

  @Mutation(() => DeletePayload, {
    description: "Removes the probe's policy: approval is needed again, and the default limits hold. NOT_FOUND.",
  })
  @Requires(deleteRemediationPolicy.permission)
  async deleteRemediationPolicy(
    @Arg("input", () => DeleteRemediationPolicyInput) input: InstanceType<typeof DeleteRemediationPolicyInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => deleteRemediationPolicy(scope, input));
  }
}

@Resolver(() => Processing)
export class ProcessingResolver {
  @Query(() => Processing, { description: "The kill switch for remediations." })
  @Requires("read")
  async processing(@Ctx() { scope }: Context) {
    return readProcessing(scope.app.database.db);
  }

  @Mutation(() => ProcessingPayload, {
    description: "From now on no remediation begins, on no replica; what runs goes on.",
  })
  @Requires(pauseProcessing.permission)
  async pauseProcessing(
    @Arg("input", () => PauseProcessingInput) input: InstanceType<typeof PauseProcessingInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => pauseProcessing(scope, input));
  }

  @Mutation(() => ProcessingPayload, {
    description: "Ends the pause of remediations; does nothing when there is none.",
  })
  @Requires(resumeProcessing.permission)
  async resumeProcessing(
    @Arg("input", () => ResumeProcessingInput) input: InstanceType<typeof ResumeProcessingInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => resumeProcessing(scope, input));
  }
}
