import { defaultFieldResolver, type GraphQLFieldResolver, type GraphQLSchema } from "graphql";
import { Extensions } from "type-graphql";
import { authorise, type Permission } from "../kernel/permissions.js";
import type { Context } from "./context.js";

/** Declares what a root field needs. */
export const Requires = (permission: Permission) => Extensions({ policy: permission });

/** Declares that a root field answers without a token, and why that reveals and changes nothing it should not. */
export const Public = (reason: string) => Extensions({ policy: "public", reason });

/**
 * Deny by default: a root field without a declared policy fails the build of the schema; every other one is checked
 * before its resolver and before its subscription starts.
 */
export function enforcePolicies(schema: GraphQLSchema): GraphQLSchema {
  for (const root of [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()]) {
    for (const field of Object.values(root?.getFields() ?? {})) {
      const policy = field.extensions.policy as Permission | "public" | undefined;
      if (!policy) throw new Error(`${root!.name}.${field.name} declares no policy: add @Requires(…) or @Public(…)`);
      if (policy === "public") continue;
      field.resolve = guarded(policy, field.resolve ?? defaultFieldResolver);
      if (field.subscribe) field.subscribe = guarded(policy, field.subscribe);
    }
  }
  return schema;
}

const guarded =
  (policy: Permission, resolve: GraphQLFieldResolver<unknown, Context>): GraphQLFieldResolver<unknown, Context> =>
  async (source, args, context, info) => {
    authorise(context.scope.principal, policy);
    return resolve(source, args, context, info);
  };
