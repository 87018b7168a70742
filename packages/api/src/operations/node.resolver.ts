import { getTableName, sql, type Table } from "drizzle-orm";
import { Arg, Ctx, ID, Query, Resolver } from "type-graphql";
import { apiTokens } from "../access/api-token.table.js";
import { agentById } from "../agents/agent.query.js";
import { agents } from "../agents/agent.table.js";
import { probeById } from "../agents/probe.query.js";
import { probes } from "../agents/probe.table.js";
import { type Context, inOrder, type LoaderDefinition } from "../graphql/context.js";
import { Node } from "../graphql/node.js";
import { Requires } from "../graphql/policy.js";
import { byId } from "../graphql/table-queries.js";
import { incidentById } from "../incidents/incident.query.js";
import { incidents } from "../incidents/incident.table.js";
import { authorise, type Permission } from "../kernel/permissions.js";
import { remediationPolicies, remediationRuns } from "../remediations/remediation.table.js";
import { policyById, runById } from "../remediations/run.query.js";
import { serviceById } from "../services/service.resolver.js";
import { services } from "../services/service.table.js";
import { integrationById } from "../signals/integration.query.js";
import { integrations } from "../signals/integration.table.js";

interface NodeType {
  table: Table;
  load: LoaderDefinition<string, { id: string }>;
  /** Beyond `read`. */
  permission?: Permission;
}

const apiTokenById = byId(apiTokens);

/** Every type that implements Node; a test holds this list and the schema together. */
export const NODE_TYPES: Record<string, NodeType> = {
  Incident: { table: incidents, load: incidentById },
  Service: { table: services, load: serviceById },
  Agent: { table: agents, load: agentById },
  Probe: { table: probes, load: probeById },
  RemediationRun: { table: remediationRuns, load: runById },
  RemediationPolicy: { table: remediationPolicies, load: policyById },
  Integration: { table: integrations, load: integrationById, permission: "integration:manage" },
  ApiToken: { table: apiTokens, load: apiTokenById, permission: "token:manage" },
};

/** Which type an id is of: ids are random UUIDs, so at most one table has it. */
const typesOf: LoaderDefinition<string, string> = async (db, ids) => {
  const lookUps = Object.entries(NODE_TYPES).map(
    ([name, { table }]) =>
      sql`select id, ${name} as type from ${sql.identifier(getTableName(table))} where id = any(${sql.param([...ids])}::uuid[])`,
  );
  const { rows } = await db.execute<{ id: string; type: string }>(sql.join(lookUps, sql` union all `));
  return inOrder(ids, rows, (row) => row.id).map((row) => row?.type ?? null);
};

@Resolver()
export class NodeResolver {
  @Query(() => Node, { nullable: true, description: "Any object by its id." })
  @Requires("read")
  async node(@Arg("id", () => ID) id: string, @Ctx() { scope, loaders }: Context): Promise<object | null> {
    const __typename = await loaders.load(typesOf, id);
    if (!__typename) return null;
    const { load, permission } = NODE_TYPES[__typename]!;
    if (permission) authorise(scope.principal, permission);
    const found = await loaders.load(load, id);
    return found && { ...found, __typename };
  }
}
