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

  @Mutation(() => CreateEnrolmentTokenPayload, {
    description: "Makes a token with which one host becomes an agent; its text is shown once.",
  })
  @Requires(createEnrolmentToken.permission)
  async createEnrolmentToken(
    @Arg("input", () => CreateEnrolmentTokenInput) input: InstanceType<typeof CreateEnrolmentTokenInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => createEnrolmentToken(scope, input));
  }

  @Mutation(() => EnrolAgentPayload, {
    description:
      "Makes an agent of a host. The token in the input is the credential; sent again with the same key it answers with the same agent. TOKEN_INVALID: the token is unknown, used or expired, or not for that name. ALREADY_EXISTS: an agent of that name is enrolled. BAD_INPUT: the key is no Ed25519 public key, or the facts are larger than 16 KiB.",
  })
  @Public("The enrolment token in the input is the credential: single use, short-lived, bound to a name.")
  async enrolAgent(
    @Arg("input", () => EnrolAgentInput) input: InstanceType<typeof EnrolAgentInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => enrolAgent(scope, input));
  }

  @Mutation(() => AgentPayload, {
    description:
      "Ends an agent for good: its sockets close within a second, its incidents are resolved, its name is free again. Revoked again, nothing changes. NOT_FOUND.",
  })
  @Requires(revokeAgent.permission)
  async revokeAgent(
    @Arg("input", () => RevokeAgentInput) input: InstanceType<typeof RevokeAgentInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => revokeAgent(scope, input));
  }
}
