import { type Column, getTableColumns, type InferSelectModel, type Table } from "drizzle-orm";
import type { GraphQLScalarType } from "graphql";
import { type ClassType, Field, Float, ID, InputType, Int, ObjectType } from "type-graphql";
import { z } from "zod";
import { enumOf } from "./enums.js";
import { BigIntText, DateTime, Duration, Json } from "./scalars.js";

type FieldType = GraphQLScalarType | object;
type Published = string | { description: string; as?: string; type?: FieldType };

/** Names a class after what it stands for, because type-graphql and stack traces show it. */
function named<T extends ClassType>(name: string, type: T): T {
  Object.defineProperty(type, "name", { value: name });
  return type;
}

/**
 * A GraphQL object type of a table's columns. Only the columns listed are published; the text describes the field.
 * `as` renames it, `type` overrides what the column's own type says. A field that is not renamed is read by graphql itself:
 * through type-graphql's resolver it took three times as long, a quarter of the time of a list.
 */
export function typeFrom<T extends Table>(
  name: string,
  table: T,
  fields: Partial<Record<keyof InferSelectModel<T> & string, Published>>,
  options: { description?: string; implements?: abstract new () => object } = {},
): ClassType<InferSelectModel<T>> {
  const type = named(name, class {} as ClassType<InferSelectModel<T>>);
  const columns = getTableColumns(table) as Record<string, Column>;
  for (const [key, published] of Object.entries(fields) as [string, Published][]) {
    const column = columns[key]!;
    const {
      description,
      as = key,
      type: override,
    } = typeof published === "string" ? { description: published } : published;
    const options = { name: as, description, nullable: !column.notNull, simple: as === key };
    Field(() => (override ?? columnType(column)) as never, options)(type.prototype, key);
  }
  ObjectType(name, options)(type);
  return type;
}

function columnType(column: Column): FieldType {
  if (column.enumValues?.length) return enumOf(column.enumValues);
  switch (column.columnType) {
    case "PgUUID":
      return ID;
    case "PgText":
      return String;
    case "PgBoolean":
      return Boolean;
    case "PgInteger":
      return Int;
    case "PgBigInt53":
      return BigIntText;
    case "PgReal":
    case "PgDoublePrecision":
      return Float;
    case "PgTimestamp":
      return DateTime;
    case "PgJsonb":
      return Json;
    default:
      throw new Error(
        `typeFrom: column ${column.name} is a ${column.columnType}, which has no GraphQL type; give \`type\``,
      );
  }
}

/** The GraphQL input of a command's zod object: same fields, same descriptions, so they cannot drift apart. */
export function inputFrom<T extends z.ZodObject>(name: string, schema: T): ClassType<z.input<T>> {
  const type = named(name, class {} as ClassType<z.input<T>>);
  Field(() => String, { nullable: true, description: "Any text; the payload brings it back." })(
    type.prototype,
    "clientMutationId",
  );
  for (const [key, field] of Object.entries(schema.shape)) {
    const { graphql, list, required, description } = inputField(field as z.ZodType, `${name}.${key}`);
    const nullable = !required;
    Field(() => (list ? [graphql] : graphql) as never, { nullable, description })(type.prototype, key);
  }
  InputType(name)(type);
  return type;
}

interface InputField {
  graphql: FieldType;
  list: boolean;
  required: boolean;
  description?: string;
}

const NAMED_TYPES: Record<string, FieldType> = { Duration, ID, JSON: Json, BigInt: BigIntText, DateTime };

function inputField(schema: z.ZodType, path: string): InputField {
  const description = schema.description;
  const hint = schema.meta()?.graphql as string | undefined;
  if (hint) return { graphql: NAMED_TYPES[hint]!, list: false, required: true, description };
  const inner = (type: unknown) => inputField(type as z.ZodType, path);
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault
  ) {
    const wrapped = inner(schema.def.innerType);
    return { ...wrapped, required: false, description: description ?? wrapped.description };
  }
  if (schema instanceof z.ZodPipe) return { ...inner(schema.def.in), description };
  if (schema instanceof z.ZodArray) return { ...inner(schema.def.element), list: true, description };
  return { graphql: inputScalar(schema, path), list: false, required: true, description };
}

function inputScalar(schema: z.ZodType, path: string): FieldType {
  if (schema instanceof z.ZodUUID) return ID;
  if (schema instanceof z.ZodEnum) return enumOf(schema.options as string[]);
  if (schema instanceof z.ZodString) return String;
  if (schema instanceof z.ZodBoolean) return Boolean;
  if (schema instanceof z.ZodNumber) return schema.def.checks?.length && schema.isInt ? Int : Float;
  if (schema instanceof z.ZodDate) return DateTime;
  if (schema instanceof z.ZodRecord || schema instanceof z.ZodUnknown || schema instanceof z.ZodObject) return Json;
  throw new Error(`inputFrom: ${path} has a zod type without a GraphQL type; give .meta({ graphql: … })`);
}
