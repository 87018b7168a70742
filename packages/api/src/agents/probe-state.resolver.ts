import { Arg, Ctx, FieldResolver, Int, Query, Resolver, Root } from "type-graphql";
import type { Connection } from "../graphql/connection.js";
import type { Context } from "../graphql/context.js";
import { Requires } from "../graphql/policy.js";
import { incidentById } from "../incidents/incident.query.js";
import type { IncidentRow } from "../incidents/incident.table.js";
import { Incident } from "../incidents/incident.type.js";
import { agentById } from "./agent.query.js";
import type { AgentRow } from "./agent.table.js";
import { Agent } from "./agent.type.js";
import { probeById } from "./probe.query.js";
import type { ProbeRow, ProbeStateRow } from "./probe.table.js";
import { Probe } from "./probe.type.js";
import { findProbeStates } from "./probe-state.query.js";
import { Metric, metricsOf, ProbeState, ProbeStateConnection, ProbeStateFilter } from "./probe-state.type.js";

@Resolver(() => ProbeState)
export class ProbeStateResolver {
  @Query(() => ProbeStateConnection, { description: "What every probe last saw." })
  @Requires("read")
  async probeStates(
    @Arg("filter", () => ProbeStateFilter, { nullable: true }) filter: ProbeStateFilter | null,
    @Arg("first", () => Int, { defaultValue: 50 }) first: number,
    @Arg("after", () => String, { nullable: true }) after: string | null,
    @Ctx() { scope }: Context,
  ): Promise<Connection<ProbeStateRow>> {
    return findProbeStates(scope.app.database.db, filter ?? {}, { first, after });
  }

  @FieldResolver(() => Agent)
  async agent(@Root() { agentId }: ProbeStateRow, @Ctx() { loaders }: Context): Promise<AgentRow | null> {
    return loaders.load(agentById, agentId);
  }

  @FieldResolver(() => Probe)
  async probe(@Root() { probeId }: ProbeStateRow, @Ctx() { loaders }: Context): Promise<ProbeRow | null> {
    return loaders.load(probeById, probeId);
  }

  @FieldResolver(() => [Metric], { description: "What was measured." })
  async metrics(@Root() { metrics }: ProbeStateRow): Promise<Metric[]> {
    return metricsOf(metrics);
  }

  @FieldResolver(() => Incident, { nullable: true, description: "The incident its problem raised." })
  async incident(@Root() { incidentId }: ProbeStateRow, @Ctx() { loaders }: Context): Promise<IncidentRow | null> {
    return incidentId ? loaders.load(incidentById, incidentId) : null;
  }
}
