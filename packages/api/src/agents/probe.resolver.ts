import { Arg, Ctx, FieldResolver, ID, Int, Mutation, Query, Resolver, Root } from "type-graphql";
import type { Connection } from "../graphql/connection.js";
import type { Context } from "../graphql/context.js";
import { payload } from "../graphql/payload.js";
import { Requires } from "../graphql/policy.js";
import { inputFrom } from "../graphql/type-from.js";
import { DeletePayload, Service, type ServiceRow, serviceById } from "../services/service.resolver.js";
import { findProbes, probeById, probeByName } from "./probe.query.js";
import { createProbe, deleteProbe, runProbe, updateProbe } from "./probe.service.js";
import type { ProbeRow, ProbeStateRow } from "./probe.table.js";
import { Probe, ProbeConnection, ProbePayload, RunProbePayload } from "./probe.type.js";
import { findStatesOf } from "./probe-state.query.js";
import { ProbeStateConnection } from "./probe-state.type.js";

const CreateProbeInput = inputFrom("CreateProbeInput", createProbe.input);
const UpdateProbeInput = inputFrom("UpdateProbeInput", updateProbe.input);
const DeleteProbeInput = inputFrom("DeleteProbeInput", deleteProbe.input);
const RunProbeInput = inputFrom("RunProbeInput", runProbe.input);

@Resolver(() => Probe)
export class ProbeResolver {
  @Query(() => ProbeConnection, { description: "Probes, by name." })
  @Requires("read")
  async probes(
    @Arg("search", () => String, { nullable: true, description: "Part of the name." }) search: string | null,
    @Arg("first", () => Int, { defaultValue: 50 }) first: number,
    @Arg("after", () => String, { nullable: true }) after: string | null,
    @Ctx() { scope }: Context,
  ): Promise<Connection<ProbeRow>> {
    return findProbes(scope.app.database.db, search, { first, after });
  }

  @Query(() => Probe, { nullable: true, description: "By id or by name." })
  @Requires("read")
  async probe(
    @Arg("id", () => ID, { nullable: true }) id: string | null,
    @Arg("name", () => String, { nullable: true }) name: string | null,
    @Ctx() { scope, loaders }: Context,
  ): Promise<ProbeRow | null> {
    return id ? loaders.load(probeById, id) : probeByName(scope.app.database.db, name ?? "");
  }

  @FieldResolver(() => Service, { nullable: true, description: "The service its incidents concern." })
  async service(@Root() { serviceId }: ProbeRow, @Ctx() { loaders }: Context): Promise<ServiceRow | null> {
    return serviceId ? loaders.load(serviceById, serviceId) : null;
  }

  @FieldResolver(() => ProbeStateConnection, { description: "What it last saw, on every agent." })
  async states(
    @Root() { id }: ProbeRow,
    @Arg("first", () => Int, { defaultValue: 50 }) first: number,
    @Arg("after", () => String, { nullable: true }) after: string | null,
    @Ctx() { scope, loaders }: Context,
  ): Promise<Connection<ProbeStateRow>> {
    return findStatesOf({ db: scope.app.database.db, loaders }, "probeId", id, { first, after });
  }

  @Mutation(() => ProbePayload, {
    description:
      "Makes a probe; agents with matching labels run it at once. BAD_INPUT: kind, config, times or rules do not fit the plugin. ALREADY_EXISTS: the name is taken. NOT_FOUND: the service.",
  })
  @Requires(createProbe.permission)
  async createProbe(
    @Arg("input", () => CreateProbeInput) input: InstanceType<typeof CreateProbeInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => createProbe(scope, input));
  }

  @Mutation(() => ProbePayload, {
    description:
      "Changes what is given and leaves the rest; switched off, its incidents are resolved. BAD_INPUT: config, times or rules do not fit the plugin. ALREADY_EXISTS: the name is taken. NOT_FOUND: it, or the service.",
  })
  @Requires(updateProbe.permission)
  async updateProbe(
    @Arg("input", () => UpdateProbeInput) input: InstanceType<typeof UpdateProbeInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => updateProbe(scope, input));
  }

  @Mutation(() => DeletePayload, { description: "Removes a probe and resolves its incidents. NOT_FOUND." })
  @Requires(deleteProbe.permission)
  async deleteProbe(
    @Arg("input", () => DeleteProbeInput) input: InstanceType<typeof DeleteProbeInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => deleteProbe(scope, input));
  }

  @Mutation(() => RunProbePayload, {
    description:
      "Runs it now on one agent, beside its schedule. CONFLICT: it is switched off, or the agent's labels do not match. NOT_FOUND: the probe, or the agent.",
  })
  @Requires(runProbe.permission)
  async runProbe(
    @Arg("input", () => RunProbeInput) input: InstanceType<typeof RunProbeInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => runProbe(scope, input));
  }
}
