import { Arg, Ctx, FieldResolver, Int, Query, Resolver, Root, Subscription } from "type-graphql";
import type { Connection } from "../graphql/connection.js";
import { type Context, Loaders } from "../graphql/context.js";
import { Requires } from "../graphql/policy.js";
import { agentById } from "./agent.query.js";
import type { AgentRow } from "./agent.table.js";
import { Agent } from "./agent.type.js";
import { followStates } from "./live-states.js";
import type { ProbeStateRow } from "./probe.table.js";
import { findResults, type ProbeResultRow } from "./probe-result.query.js";
import { ProbeResult, ProbeResultConnection, ProbeResultFilter } from "./probe-result.type.js";
import { Metric, metricsOf, ProbeState, ProbeStateFilter } from "./probe-state.type.js";

@Resolver(() => ProbeResult)
export class ProbeResultResolver {
  @Query(() => ProbeResultConnection, {
    description:
      "What a probe has seen, newest first: of the last hour unless `since` says otherwise, kept for 48 hours.",
  })
  @Requires("read")
  async probeResults(
    @Arg("filter", () => ProbeResultFilter) filter: ProbeResultFilter,
    @Arg("first", () => Int, { defaultValue: 50 }) first: number,
    @Arg("after", () => String, { nullable: true }) after: string | null,
    @Ctx() { scope }: Context,
  ): Promise<Connection<ProbeResultRow>> {
    return findResults(scope.app.database.db, filter, { first, after });
  }

  @FieldResolver(() => Agent)
  async agent(@Root() { agentId }: ProbeResultRow, @Ctx() { loaders }: Context): Promise<AgentRow | null> {
    return loaders.load(agentById, agentId);
  }

  @FieldResolver(() => [Metric], { description: "What was measured." })
  async metrics(@Root() { metrics }: ProbeResultRow): Promise<Metric[]> {
    return metricsOf(metrics && JSON.parse(metrics));
  }

  @Subscription(() => [ProbeState], {
    name: "probeResults",
    description:
      "What probes see, live: first where each thing stands, then each that has a new result. Of a thing only the newest result is sent, so a slow reader misses some and is never behind. At most 500 things.",
    subscribe: ({ args, context }: { args: Partial<{ filter: ProbeStateFilter | null }>; context: Context }) =>
      followStates(context.scope.app, args.filter ?? {}) as never,
  })
  @Requires("read")
  async liveResults(
    @Root() states: ProbeStateRow[],
    @Arg("filter", () => ProbeStateFilter, { nullable: true }) _filter: ProbeStateFilter | null,
    @Ctx() context: Context,
  ): Promise<ProbeStateRow[]> {
    // One context serves the whole subscription; what was loaded for an earlier page may have changed since.
    context.loaders = new Loaders(context.scope.app.database.db);
    return states;
  }
}
