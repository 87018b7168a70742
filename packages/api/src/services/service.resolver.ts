import { eq, getTableColumns, inArray } from "drizzle-orm";
import { Arg, Ctx, FieldResolver, ID, Int, Mutation, Query, Resolver, Root } from "type-graphql";
import { type Connection, connectionOf } from "../graphql/connection.js";
import type { Context, LoaderDefinition } from "../graphql/context.js";
import { Node } from "../graphql/node.js";
import { payload, payloadOf } from "../graphql/payload.js";
import { Requires } from "../graphql/policy.js";
import { byId, contains, listOf } from "../graphql/table-queries.js";
import { inputFrom, typeFrom } from "../graphql/type-from.js";
import { createService, deleteService, updateService } from "./service.service.js";
import { serviceDependencies, services } from "./service.table.js";

export type ServiceRow = typeof services.$inferSelect;

export const Service = typeFrom(
  "Service",
  services,
  {
    id: "Its id.",
    name: "Unique.",
    description: "What it does.",
    owner: "The team or person that answers for it.",
    labels: "Text by name.",
    createdAt: "When it was added.",
    updatedAt: "When it was last changed.",
  },
  { description: "What is operated: incidents are about it, and it may need other services.", implements: Node },
);
const ServiceConnection = connectionOf("Service", Service);
const CreateServiceInput = inputFrom("CreateServiceInput", createService.input);
const UpdateServiceInput = inputFrom("UpdateServiceInput", updateService.input);
const DeleteServiceInput = inputFrom("DeleteServiceInput", deleteService.input);
const ServicePayload = payloadOf("ServicePayload", { service: { type: () => Service } });
export const DeletePayload = payloadOf("DeletePayload", { deletedId: { type: () => ID } });

export const serviceById = byId(services);

const dependencies: LoaderDefinition<string, ServiceRow[]> = async (db, ids) => {
  const rows = await db
    .select({ of: serviceDependencies.serviceId, ...getTableColumns(services) })
    .from(serviceDependencies)
    .innerJoin(services, eq(services.id, serviceDependencies.dependsOnId))
    .where(inArray(serviceDependencies.serviceId, [...ids]))
    .orderBy(services.name);
  return grouped(ids, rows);
};

const dependents: LoaderDefinition<string, ServiceRow[]> = async (db, ids) => {
  const rows = await db
    .select({ of: serviceDependencies.dependsOnId, ...getTableColumns(services) })
    .from(serviceDependencies)
    .innerJoin(services, eq(services.id, serviceDependencies.serviceId))
    .where(inArray(serviceDependencies.dependsOnId, [...ids]))
    .orderBy(services.name);
  return grouped(ids, rows);
};

function grouped(ids: readonly string[], rows: (ServiceRow & { of: string })[]): ServiceRow[][] {
  const groups = new Map(ids.map((id) => [id, [] as ServiceRow[]]));
  for (const row of rows) groups.get(row.of)!.push(row);
  return [...groups.values()];
}

@Resolver(() => Service)
export class ServiceResolver {
  @Query(() => ServiceConnection, { description: "The catalogue, by name." })
  @Requires("read")
  async services(
    @Arg("search", () => String, { nullable: true, description: "Part of the name." }) search: string | null,
    @Arg("first", () => Int, { defaultValue: 50 }) first: number,
    @Arg("after", () => String, { nullable: true }) after: string | null,
    @Ctx() { scope }: Context,
  ): Promise<Connection<ServiceRow>> {
    const { db } = scope.app.database;
    return listOf(db, services, {
      paging: { first, after },
      orderBy: [{ key: "name", column: services.name }],
      where: search ? contains(services.name, search) : undefined,
    });
  }

  @Query(() => Service, { nullable: true, description: "By id or by name." })
  @Requires("read")
  async service(
    @Arg("id", () => ID, { nullable: true }) id: string | null,
    @Arg("name", () => String, { nullable: true }) name: string | null,
    @Ctx() { scope, loaders }: Context,
  ): Promise<ServiceRow | null> {
    if (id) return loaders.load(serviceById, id);
    const [row] = await scope.app.database.db
      .select()
      .from(services)
      .where(eq(services.name, name ?? ""));
    return row ?? null;
  }

  @FieldResolver(() => [Service], { description: "What it needs." })
  async dependsOn(@Root() service: ServiceRow, @Ctx() { loaders }: Context): Promise<ServiceRow[]> {
    return (await loaders.load(dependencies, service.id)) ?? [];
  }

  @FieldResolver(() => [Service], { description: "What needs it." })
  async dependents(@Root() service: ServiceRow, @Ctx() { loaders }: Context): Promise<ServiceRow[]> {
    return (await loaders.load(dependents, service.id)) ?? [];
  }

  @Mutation(() => ServicePayload, {
    description:
      "Adds a service to the catalogue. ALREADY_EXISTS: the name is taken. NOT_FOUND: one of `dependsOnIds`. BAD_INPUT: the dependencies would be a circle.",
  })
  @Requires(createService.permission)
  async createService(
    @Arg("input", () => CreateServiceInput) input: InstanceType<typeof CreateServiceInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => createService(scope, input));
  }

  @Mutation(() => ServicePayload, {
    description:
      "Changes what is given and leaves the rest. ALREADY_EXISTS: the name is taken. NOT_FOUND: it, or one of `dependsOnIds`. BAD_INPUT: the dependencies would be a circle.",
  })
  @Requires(updateService.permission)
  async updateService(
    @Arg("input", () => UpdateServiceInput) input: InstanceType<typeof UpdateServiceInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => updateService(scope, input));
  }

  @Mutation(() => DeletePayload, {
    description:
      "Removes a service from the catalogue. IN_USE: it has incidents, and their history would lose its subject. NOT_FOUND.",
  })
  @Requires(deleteService.permission)
  async deleteService(
    @Arg("input", () => DeleteServiceInput) input: InstanceType<typeof DeleteServiceInput>,
    @Ctx() { scope }: Context,
  ) {
    return payload(input, () => deleteService(scope, input));
  }
}
