import { defaultFieldResolver, type GraphQLField, type GraphQLFieldResolver, type GraphQLSchema } from "graphql";
import { Extensions } from "type-graphql";
import { authorise, type Permission, type Principal } from "../kernel/permissions.js";
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
      const policy = policyOf(field);
      if (!policy) throw new Error(`${root!.name}.${field.name} declares no policy: add @Requires(…) or @Public(…)`);
      if (policy === "public") continue;
      field.resolve = guarded(field, field.resolve ?? defaultFieldResolver);
      if (field.subscribe) field.subscribe = guarded(field, field.subscribe);
    }
  }
  return schema;
}

/** @throws {AppError} UNAUTHENTICATED, FORBIDDEN when the principal may not what the root field's declaration asks for */
export function authoriseField(field: RootField, principal: Principal): void {
  const policy = policyOf(field)!;
  if (policy !== "public") authorise(principal, policy);
}

type RootField = GraphQLField<unknown, Context>;
const policyOf = ({ extensions }: RootField) => extensions.policy as Permission | "public" | undefined;

const guarded =
  (field: RootField, resolve: GraphQLFieldResolver<unknown, Context>): GraphQLFieldResolver<unknown, Context> =>
  async (source, args, context, info) => {
    authoriseField(field, context.scope.principal);
    return resolve(source, args, context, info);
  };
