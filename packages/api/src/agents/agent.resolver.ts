import { Arg, Ctx, FieldResolver, ID, Int, Mutation, Query, Resolver, Root } from "type-graphql";
import type { Connection } from "../graphql/connection.js";
import type { Context } from "../graphql/context.js";
import { payload } from "../graphql/payload.js";
import { Public, Requires } from "../graphql/policy.js";
import { DateTime } from "../graphql/scalars.js";
import { inputFrom } from "../graphql/type-from.js";
import { agentById, agentByName, findAgents, lastSeenOf, type SpoolGapRow, spoolGapsOf } from "./agent.query.js";
import type { AgentRow } from "./agent.table.js";
import {
  Agent,
  AgentConnection,
  AgentFilter,
  AgentPayload,
  CreateEnrolmentTokenPayload,
  EnrolAgentPayload,
  SpoolGap,
} from "./agent.type.js";
import { createEnrolmentToken, enrolAgent, enrolAgentInput } from "./enrolment.service.js";
import type { ProbeStateRow } from "./probe.table.js";
import { findStatesOf } from "./probe-state.query.js";
import { ProbeStateConnection } from "./probe-state.type.js";
import { revokeAgent } from "./revoke-agent.js";

const CreateEnrolmentTokenInput = inputFrom("CreateEnrolmentTokenInput", createEnrolmentToken.input);
const EnrolAgentInput = inputFrom("EnrolAgentInput", enrolAgentInput);
const RevokeAgentInput = inputFrom("RevokeAgentInput", revokeAgent.input);

@Resolver(() => Agent)
export class AgentResolver {
  @Query(() => AgentConnection, { description: "Agents, by name." })
  @Requires("read")
  async agents(
    @Arg("filter", () => AgentFilter, { nullable: true }) filter: AgentFilter | null,
    @Arg("first", () => Int, { defaultValue: 50 }) first: number,
    @Arg("after", () => String, { nullable: true }) after: string | null,
    @Ctx() { scope }: Context,
  ): Promise<Connection<AgentRow>> {
    return findAgents(scope.app.database.db, filter ?? {}, { first, after });
  }

  @Query(() => Agent, { nullable: true, description: "By id or by name." })
  @Requires("read")
  async agent(
    @Arg("id", () => ID, { nullable: true }) id: string | null,
    @Arg("name", () => String, { nullable: true }) name: string | null,
    @Ctx() { scope, loaders }: Context,
  ): Promise<AgentRow | null> {
    return id ? loaders.load(agentById, id) : agentByName(scope.app.database.db, name ?? "");
  }

  @FieldResolver(() => DateTime, { nullable: true, description: "When it last gave a sign of life." })
  async lastSeenAt(@Root() { id }: AgentRow, @Ctx() { loaders }: Context): Promise<Date | null> {
    return loaders.load(lastSeenOf, id);
  }

  @FieldResolver(() => [SpoolGap], { description: "What its spool had to drop: the newest 100." })
  async spoolGaps(@Root() { id }: AgentRow, @Ctx() { loaders }: Context): Promise<SpoolGapRow[]> {
    return (await loaders.load(spoolGapsOf, id)) ?? [];
  }

  @FieldResolver(() => ProbeStateConnection, { description: "What its probes last saw." })
  async probeStates(
    @Root() { id }: AgentRow,
    @Arg("first", () => Int, { defaultValue: 50 }) first: number,
    @Arg("after", () => String, { nullable: true }) after: string | null,
    @Ctx() { scope, loaders }: Context,
  ): Promise<Connection<ProbeStateRow>> {
    return findStatesOf({ db: scope.app.database.db, loaders }, "agentId", id, { first, after });
  }

  @Mutation(() => CreateEnrolmentTokenPayload)
  @Requires(createEnrolmentToken.permission)
  async createEnrolmentToken(
    @Arg("input", () => CreateEnrolmentTokenInput) input: InstanceType<typeof CreateEnrolmentTokenInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => createEnrolmentToken(scope, input));
  }

  @Mutation(() => EnrolAgentPayload)
  @Public("The enrolment token in the input is the credential: single use, short-lived, bound to a name.")
  async enrolAgent(
    @Arg("input", () => EnrolAgentInput) input: InstanceType<typeof EnrolAgentInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => enrolAgent(scope, input));
  }

  @Mutation(() => AgentPayload)
  @Requires(revokeAgent.permission)
  async revokeAgent(
    @Arg("input", () => RevokeAgentInput) input: InstanceType<typeof RevokeAgentInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => revokeAgent(scope, input));
  }
}
