import { Arg, Ctx, FieldResolver, ID, Int, Mutation, Query, Resolver, Root, Subscription } from "type-graphql";
import { agentById } from "../agents/agent.query.js";
import type { AgentRow } from "../agents/agent.table.js";
import { Agent } from "../agents/agent.type.js";
import { probeById } from "../agents/probe.query.js";
import type { ProbeRow } from "../agents/probe.table.js";
import { Probe } from "../agents/probe.type.js";
import { type Connection, checkFirst } from "../graphql/connection.js";
import type { Context } from "../graphql/context.js";
import { payload } from "../graphql/payload.js";
import { Requires } from "../graphql/policy.js";
import { Json } from "../graphql/scalars.js";
import { inputFrom } from "../graphql/type-from.js";
import { incidentById } from "../incidents/incident.query.js";
import type { IncidentRow } from "../incidents/incident.table.js";
import { Incident } from "../incidents/incident.type.js";
import { approveRemediation, cancelRemediation, rejectRemediation } from "./decide.js";
import { followOutput, readOutputPage } from "./output-feed.js";
import type { OutputPage as Page } from "./output-reader.js";
import type { RemediationRunRow } from "./remediation.table.js";
import { redactInput } from "./remediation-kind.js";
import { requestRemediation } from "./request.js";
import { findRuns, runById } from "./run.query.js";
import { OutputPage, RemediationRun, RemediationRunConnection, RemediationRunPayload, RunFilter } from "./run.type.js";

const RequestRemediationInput = inputFrom("RequestRemediationInput", requestRemediation.input);
const DecideRemediationInput = inputFrom("DecideRemediationInput", approveRemediation.input);
type Decide = InstanceType<typeof DecideRemediationInput>;

@Resolver(() => RemediationRun)
export class RemediationRunResolver {
  @Query(() => RemediationRunConnection, { description: "Remediation runs, newest first." })
  @Requires("read")
  async remediationRuns(
    @Arg("filter", () => RunFilter, { nullable: true }) filter: RunFilter | null,
    @Arg("first", () => Int, { defaultValue: 50 }) first: number,
    @Arg("after", () => String, { nullable: true }) after: string | null,
    @Ctx() { scope }: Context,
  ): Promise<Connection<RemediationRunRow>> {
    return findRuns(scope.app.database.db, filter ?? {}, { first, after });
  }

  @Query(() => RemediationRun, {
    nullable: true,
    description: "One remediation run by its id; null when there is none.",
  })
  @Requires("read")
  async remediationRun(
    @Arg("id", () => ID) id: string,
    @Ctx() { loaders }: Context,
  ): Promise<RemediationRunRow | null> {
    return loaders.load(runById, id);
  }

  @FieldResolver(() => Json, { description: "Its input; what looks like a secret is not shown." })
  async input(@Root() { input }: RemediationRunRow): Promise<unknown> {
    return redactInput(input);
  }

  @FieldResolver(() => Agent, { description: "Where it runs." })
  async agent(@Root() { agentId }: RemediationRunRow, @Ctx() { loaders }: Context): Promise<AgentRow | null> {
    return loaders.load(agentById, agentId);
  }

  @FieldResolver(() => Probe, { nullable: true, description: "What tells whether it helped." })
  async probe(@Root() { probeId }: RemediationRunRow, @Ctx() { loaders }: Context): Promise<ProbeRow | null> {
    return probeId ? loaders.load(probeById, probeId) : null;
  }

  @FieldResolver(() => Incident, { nullable: true, description: "What it is to fix." })
  async incident(@Root() { incidentId }: RemediationRunRow, @Ctx() { loaders }: Context): Promise<IncidentRow | null> {
    return incidentId ? loaders.load(incidentById, incidentId) : null;
  }

  @FieldResolver(() => OutputPage, { description: "What it has written, from its beginning or after a chunk's seq." })
  async output(
    @Root() { id }: RemediationRunRow,
    @Arg("first", () => Int, { defaultValue: 50 }) first: number,
    @Arg("after", () => Int, { nullable: true }) after: number | null,
    @Ctx() { scope }: Context,
  ): Promise<Page> {
    return (await readOutputPage(scope.app.database.db, id, after ?? -1, checkFirst(first)))!;
  }

  @Subscription(() => OutputPage, {
    description: "What a run writes, live and across replicas, until `ended`. One that has not begun is waited for.",
    subscribe: ({ args, context }: { args: Partial<{ runId: string; after: number | null }>; context: Context }) =>
      followOutput(context.scope.app, args.runId!, args.after ?? -1) as never,
  })
  @Requires("read")
  async remediationOutput(
    @Root() page: Page,
    @Arg("runId", () => ID) _runId: string,
    @Arg("after", () => Int, { nullable: true, description: "Go on after this seq." }) _after: number | null,
  ): Promise<Page> {
    return page;
  }

  @Mutation(() => RemediationRunPayload, {
    description: "Asks for a remediation; it is previewed and waits for approval.",
  })
  @Requires(requestRemediation.permission)
  async requestRemediation(
    @Arg("input", () => RequestRemediationInput) input: InstanceType<typeof RequestRemediationInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => requestRemediation(scope, input));
  }

  @Mutation(() => RemediationRunPayload, { description: "Lets it begin, if the safety policy does not refuse." })
  @Requires(approveRemediation.permission)
  async approveRemediation(@Arg("input", () => DecideRemediationInput) input: Decide, @Ctx() { scope }: Context) {
    return payload(input, async () => {
      const { run, refusal } = await approveRemediation(scope, input);
      if (refusal) throw refusal;
      return { run };
    });
  }

  @Mutation(() => RemediationRunPayload, {
    description: "Says no to a run that waits for approval, for good. CONFLICT: it does not wait. NOT_FOUND.",
  })
  @Requires(rejectRemediation.permission)
  async rejectRemediation(@Arg("input", () => DecideRemediationInput) input: Decide, @Ctx() { scope }: Context) {
    return payload(input, () => rejectRemediation(scope, input));
  }

  @Mutation(() => RemediationRunPayload, { description: "Calls it off; what runs is stopped by its agent." })
  @Requires(cancelRemediation.permission)
  async cancelRemediation(@Arg("input", () => DecideRemediationInput) input: Decide, @Ctx() { scope }: Context) {
    return payload(input, () => cancelRemediation(scope, input));
  }
}

/** The runs that were to fix an incident: added here, because incidents do not know remediations. */
@Resolver(() => Incident)
export class IncidentRunsResolver {
  @FieldResolver(() => RemediationRunConnection, { description: "What was tried to fix it, newest first." })
  async remediationRuns(
    @Root() { id }: IncidentRow,
    @Arg("first", () => Int, { defaultValue: 50 }) first: number,
    @Arg("after", () => String, { nullable: true }) after: string | null,
    @Ctx() { scope }: Context,
  ): Promise<Connection<RemediationRunRow>> {
    return findRuns(scope.app.database.db, { incidentIds: [id] }, { first, after });
  }
}
