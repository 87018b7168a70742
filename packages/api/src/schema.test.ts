import "reflect-metadata";
import {
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  isInputObjectType,
  isIntrospectionType,
} from "graphql";
import { beforeAll, expect, test } from "vitest";
import { buildSchema } from "./schema.js";

let schema: GraphQLSchema;
let types: GraphQLNamedType[];
beforeAll(async () => {
  schema = await buildSchema();
  types = Object.values(schema.getTypeMap()).filter((type) => !isIntrospectionType(type));
});
const roots = () => [schema.getQueryType()!, schema.getMutationType()!, schema.getSubscriptionType()!];
const mutations = () => Object.values(schema.getMutationType()!.getFields());

test("every query, mutation and subscription says what it does and who may", () => {
  const fields = roots().flatMap((root) => Object.values(root.getFields()));
  expect(fields.filter(({ description }) => !description).map(({ name }) => name)).toEqual([]);
  const raise = schema.getMutationType()!.getFields().raiseIncident!;
  expect(raise.description).toMatch(
    /^Opens an incident.*\n\nFor RESPONDER, OPERATOR, ADMIN, INTEGRATION \(`incident:raise`\)\.$/,
  );
});

test("every type has a description; the roots have their fields', and the input of a mutation has the mutation's", () => {
  const explained = new Set<GraphQLNamedType>([
    ...roots(),
    ...mutations().flatMap(({ args }) => args.map(({ type }) => getNamedType(type))),
  ]);
  const silent = types.filter((type) => !type.description && !explained.has(type));
  expect(silent.map(({ name }) => name)).toEqual([]);
});

test("every field of an input has a description, but `id`", () => {
  const fields = types
    .filter(isInputObjectType)
    .flatMap((type) =>
      Object.values(type.getFields()).map((field) => ({ ...field, path: `${type.name}.${field.name}` })),
    );
  expect(fields.filter(({ name, description }) => name !== "id" && !description).map(({ path }) => path)).toEqual([]);
});
