import { Arg, Ctx, Int, Mutation, Query, Resolver } from "type-graphql";
import { connectionOf } from "../graphql/connection.js";
import type { Context } from "../graphql/context.js";
import { Node } from "../graphql/node.js";
import { payload, payloadOf } from "../graphql/payload.js";
import { Requires } from "../graphql/policy.js";
import { listOf } from "../graphql/table-queries.js";
import { inputFrom, typeFrom } from "../graphql/type-from.js";
import { createApiToken, revokeApiToken } from "./api-token.service.js";
import { apiTokens } from "./api-token.table.js";

export const ApiToken = typeFrom(
  "ApiToken",
  apiTokens,
  {
    id: "Its id, which is no secret.",
    name: "What it is for.",
    role: "What it may do.",
    prefix: "The token's beginning, to tell tokens apart.",
    createdAt: "When it was made.",
    expiresAt: "When it ends by itself.",
    revokedAt: "When it was revoked.",
    lastUsedAt: "When it was last used, to the minute.",
  },
  { description: "What a person or program proves itself with.", implements: Node },
);
const ApiTokenConnection = connectionOf("ApiToken", ApiToken);
const CreateApiTokenInput = inputFrom("CreateApiTokenInput", createApiToken.input);
const RevokeApiTokenInput = inputFrom("RevokeApiTokenInput", revokeApiToken.input);
const CreateApiTokenPayload = payloadOf("CreateApiTokenPayload", {
  apiToken: { type: () => ApiToken },
  token: { type: () => String, description: "Shown once." },
});
const ApiTokenPayload = payloadOf("ApiTokenPayload", { apiToken: { type: () => ApiToken } });

@Resolver(() => ApiToken)
export class ApiTokenResolver {
  @Query(() => ApiTokenConnection, { description: "API tokens, newest first." })
  @Requires("token:manage")
  async apiTokens(
    @Arg("first", () => Int, { defaultValue: 50 }) first: number,
    @Arg("after", () => String, { nullable: true }) after: string | null,
    @Ctx() { scope }: Context,
  ) {
    const { db } = scope.app.database;
    return listOf(db, apiTokens, {
      paging: { first, after },
      orderBy: [
        { key: "createdAt", column: apiTokens.createdAt, descending: true },
        { key: "id", column: apiTokens.id },
      ],
    });
  }

  @Mutation(() => CreateApiTokenPayload, {
    description:
      "Makes an API token; its text is shown once. BAD_INPUT: the role is AGENT, which proves itself by a key.",
  })
  @Requires(createApiToken.permission)
  async createApiToken(
    @Arg("input", () => CreateApiTokenInput) input: InstanceType<typeof CreateApiTokenInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => createApiToken(scope, input));
  }

  @Mutation(() => ApiTokenPayload, {
    description: "Ends a token within a second, on open connections too. Revoked again, nothing changes. NOT_FOUND.",
  })
  @Requires(revokeApiToken.permission)
  async revokeApiToken(
    @Arg("input", () => RevokeApiTokenInput) input: InstanceType<typeof RevokeApiTokenInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => revokeApiToken(scope, input));
  }
}
