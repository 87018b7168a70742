import { Arg, Ctx, Field, FieldResolver, ID, InputType, Int, Mutation, Query, Resolver, Root } from "type-graphql";
import { type Connection, connectionOf } from "../graphql/connection.js";
import type { Context } from "../graphql/context.js";
import { publishEnum } from "../graphql/enums.js";
import { Node } from "../graphql/node.js";
import { payload, payloadOf } from "../graphql/payload.js";
import { Requires } from "../graphql/policy.js";
import { inputFrom, typeFrom } from "../graphql/type-from.js";
import { Service, type ServiceRow, serviceById } from "../services/service.resolver.js";
import {
  findIntegrations,
  type IntegrationConditions,
  integrationById,
  integrationByName,
} from "./integration.query.js";
import { createIntegration, revokeIntegration, updateIntegration } from "./integration.service.js";
import { INTEGRATION_KINDS, type IntegrationKind, type IntegrationRow, integrations } from "./integration.table.js";

const IntegrationKindEnum = publishEnum("IntegrationKind", INTEGRATION_KINDS, "What can send signals here.");

export const Integration = typeFrom(
  "Integration",
  integrations,
  {
    id: "Its id, which is no secret.",
    name: "Unique among those in use; `alertmanager:<name>` is the source of its incidents.",
    kind: "What sends.",
    prefix: "The key's beginning, to tell keys apart.",
    severities: "Our severity by what the sender calls it.",
    defaultSeverity: "Where the map has no answer.",
    category: "Where the signal names none of ours.",
    createdBy: "Who made it.",
    createdAt: "When it was made.",
    updatedAt: "When it was last changed.",
    revokedAt: "When its key was refused for good.",
    lastReceivedAt: "When it last sent something, to the minute.",
  },
  { description: "Another system that sends signals here.", implements: Node },
);
const IntegrationConnection = connectionOf("Integration", Integration);
const CreateIntegrationInput = inputFrom("CreateIntegrationInput", createIntegration.input);
const UpdateIntegrationInput = inputFrom("UpdateIntegrationInput", updateIntegration.input);
const RevokeIntegrationInput = inputFrom("RevokeIntegrationInput", revokeIntegration.input);
const IntegrationPayload = payloadOf("IntegrationPayload", { integration: { type: () => Integration } });
const CreateIntegrationPayload = payloadOf("CreateIntegrationPayload", {
  integration: { type: () => Integration },
  path: { type: () => String, description: "Where the sender posts to, with the key. Shown once." },
});

@InputType({ description: "Every condition given must hold." })
class IntegrationFilter implements IntegrationConditions {
  @Field(() => [IntegrationKindEnum], { nullable: true, description: "Of these kinds." }) kinds?:
    | IntegrationKind[]
    | null;
  @Field(() => String, { nullable: true, description: "Part of the name, in any case." }) search?: string | null;
  @Field(() => Boolean, { nullable: true, description: "Only those revoked, or only those in use." })
  revoked?: boolean | null;
}

@Resolver(() => Integration)
export class IntegrationResolver {
  @Query(() => IntegrationConnection, { description: "What sends signals here, by name." })
  @Requires("integration:manage")
  async integrations(
    @Arg("filter", () => IntegrationFilter, { nullable: true }) filter: IntegrationFilter | null,
    @Arg("first", () => Int, { defaultValue: 50 }) first: number,
    @Arg("after", () => String, { nullable: true }) after: string | null,
    @Ctx() { scope }: Context,
  ): Promise<Connection<IntegrationRow>> {
    return findIntegrations(scope.app.database.db, filter ?? {}, { first, after });
  }

  @Query(() => Integration, { nullable: true, description: "By id, or by name among those in use." })
  @Requires("integration:manage")
  async integration(
    @Arg("id", () => ID, { nullable: true }) id: string | null,
    @Arg("name", () => String, { nullable: true }) name: string | null,
    @Ctx() { scope, loaders }: Context,
  ): Promise<IntegrationRow | null> {
    return id ? loaders.load(integrationById, id) : integrationByName(scope.app.database.db, name ?? "");
  }

  @FieldResolver(() => Service, { nullable: true, description: "Where the signal names no service of the catalogue." })
  async service(@Root() { serviceId }: IntegrationRow, @Ctx() { loaders }: Context): Promise<ServiceRow | null> {
    return serviceId ? loaders.load(serviceById, serviceId) : null;
  }

  @Mutation(() => CreateIntegrationPayload, {
    description:
      "Lets another system send signals here; the path with its key is shown once. ALREADY_EXISTS: the name is in use. NOT_FOUND: the service.",
  })
  @Requires(createIntegration.permission)
  async createIntegration(
    @Arg("input", () => CreateIntegrationInput) input: InstanceType<typeof CreateIntegrationInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => createIntegration(scope, input));
  }

  @Mutation(() => IntegrationPayload, {
    description:
      "Changes what is given and leaves the rest. ALREADY_EXISTS: the name is in use. NOT_FOUND: it is not in use, or the service.",
  })
  @Requires(updateIntegration.permission)
  async updateIntegration(
    @Arg("input", () => UpdateIntegrationInput) input: InstanceType<typeof UpdateIntegrationInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => updateIntegration(scope, input));
  }

  @Mutation(() => IntegrationPayload, {
    description: "Its key is refused from now on; its incidents stay open. Revoked again, nothing changes. NOT_FOUND.",
  })
  @Requires(revokeIntegration.permission)
  async revokeIntegration(
    @Arg("input", () => RevokeIntegrationInput) input: InstanceType<typeof RevokeIntegrationInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => revokeIntegration(scope, input));
  }
}
