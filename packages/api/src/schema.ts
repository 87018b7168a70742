import type { GraphQLSchema } from "graphql";
import { buildSchema as build } from "type-graphql";
import { ApiTokenResolver } from "./access/api-token.resolver.js";
import { ViewerResolver } from "./access/viewer.resolver.js";
import { AgentResolver } from "./agents/agent.resolver.js";
import { PluginResolver } from "./agents/plugin.resolver.js";
import { ProbeResolver } from "./agents/probe.resolver.js";
import { ProbeResultResolver } from "./agents/probe-result.resolver.js";
import { ProbeStateResolver } from "./agents/probe-state.resolver.js";
import { ReportResolver } from "./agents/report.resolver.js";
import { EventResolver } from "./events/event.resolver.js";
import { enforcePolicies } from "./graphql/policy.js";
import { EventIncidentResolver, IncidentResolver } from "./incidents/incident.resolver.js";
import { type Permission, rolesWith } from "./kernel/permissions.js";
import { NodeResolver } from "./operations/node.resolver.js";
import { ProcessingResolver, RemediationPolicyResolver } from "./remediations/policy.resolver.js";
import { IncidentRunsResolver, RemediationRunResolver } from "./remediations/run.resolver.js";
import { ServiceResolver } from "./services/service.resolver.js";
import { IntegrationResolver } from "./signals/integration.resolver.js";

/** The whole public API. A root field without a policy fails here. */
export async function buildSchema(): Promise<GraphQLSchema> {
  const schema = await build({
    resolvers: [
      ViewerResolver,
      ApiTokenResolver,
      ServiceResolver,
      EventResolver,
      IncidentResolver,
      EventIncidentResolver,
      IntegrationResolver,
      AgentResolver,
      ProbeResolver,
      ProbeResultResolver,
      ProbeStateResolver,
      PluginResolver,
      ReportResolver,
      RemediationRunResolver,
      IncidentRunsResolver,
      RemediationPolicyResolver,
      ProcessingResolver,
      NodeResolver,
    ],
    validate: false,
    // Subscriptions are served by our own socket layer; type-graphql only needs something that is there.
    pubSub: {
      publish: () => {},
      subscribe: () =>
        ({ [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }) }) as never,
    },
  });
  return sayWhoMay(enforcePolicies(schema));
}

/** What a root field needs is enforced and told from one declaration. */
function sayWhoMay(schema: GraphQLSchema): GraphQLSchema {
  for (const root of [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()]) {
    for (const field of Object.values(root!.getFields())) {
      const policy = field.extensions.policy as Permission | "public";
      const who = policy === "public" ? "Needs no token." : `For ${rolesWith(policy).join(", ")} (\`${policy}\`).`;
      field.description &&= `${field.description}\n\n${who}`;
    }
  }
  return schema;
}
