import { and, asc, type Column, desc, eq, gt, gte, lt, lte, or, type SQL, sql } from "drizzle-orm";
import { type ClassType, Field, Int, ObjectType } from "type-graphql";
import type { Db } from "../db/database.js";
import { AppError } from "../kernel/app-error.js";
import { MAX_PAGE } from "./max-page.js";

@ObjectType({ description: "Where a page stands in its list. https://relay.dev/graphql/connections.htm" })
export class PageInfo {
  @Field(() => Boolean, { description: "There is more behind `endCursor`." }) hasNextPage!: boolean;
  @Field(() => Boolean, { description: "The page was asked for with `after`." }) hasPreviousPage!: boolean;
  @Field(() => String, { nullable: true, description: "Of the first entry." }) startCursor!: string | null;
  @Field(() => String, { nullable: true, description: "Of the last entry: `after` it comes the next page." })
  endCursor!: string | null;
}

export interface Connection<Node> {
  readonly edges: { cursor: string; node: Node }[];
  nodes: Node[];
  pageInfo: PageInfo;
  /** Counted once, and only when asked for. */
  readonly totalCount: Promise<number>;
}

/** The Relay connection of a node type. https://relay.dev/graphql/connections.htm */
export function connectionOf<T extends object>(name: string, node: ClassType<T>): ClassType<Connection<T>> {
  @ObjectType(`${name}Edge`, { description: "One entry of a page." })
  class Edge {
    @Field(() => String, { description: "Its place in the list, for `after`." }) cursor!: string;
    @Field(() => node, { description: "The entry." }) node!: T;
  }
  @ObjectType(`${name}Connection`, { description: "One page of a list." })
  class NodeConnection {
    @Field(() => [Edge], { description: "The entries, each with its place." }) edges!: Edge[];
    @Field(() => [node], { description: "The entries." }) nodes!: T[];
    @Field(() => PageInfo, { description: "Where the page stands." }) pageInfo!: PageInfo;
    @Field(() => Int, { description: "Of all pages together; counted when it is asked for." })
    totalCount!: Promise<number>;
  }
  return NodeConnection as ClassType<Connection<T>>;
}

export interface Paging {
  first: number;
  after?: string | null;
}

/** @throws {AppError} BAD_INPUT when `first` is not 1..500 */
export function checkFirst(first: number): number {
  if (first >= 1 && first <= MAX_PAGE) return first;
  throw new AppError("BAD_INPUT", `first is ${first}; it takes 1 to ${MAX_PAGE}. Page with \`after\`.`, {
    field: "first",
  });
}

/** One column of the order; the last one must be unique, so that a page never repeats or skips a row. */
export interface OrderBy {
  key: string;
  column: Column;
  descending?: boolean;
}

/**
 * One page by keyset: `after` holds the order values of the last row, so a page costs the same wherever it stands.
 * `select` runs the query; `count` runs only when `totalCount` was asked for.
 */
export async function paginate<Row extends Record<string, unknown>>(options: {
  paging: Paging;
  orderBy: OrderBy[];
  where: SQL | undefined;
  select(where: SQL | undefined, orderBy: SQL[], limit: number): Promise<Row[]>;
  count(where: SQL | undefined): Promise<number>;
}): Promise<Connection<Row>> {
  const { paging, orderBy, where } = options;
  const first = checkFirst(paging.first);
  const beyond = paging.after ? afterCursor(orderBy, decodeCursor(paging.after, orderBy)) : undefined;
  const directions = orderBy.map(({ column, descending }) => (descending ? desc(column) : asc(column)));
  const rows = await options.select(and(where, beyond), directions, first + 1);
  const nodes = rows.slice(0, first);
  const cursorOf = (node: Row | undefined) => node && encodeCursor(orderBy.map(({ key }) => node[key]));
  let count: Promise<number> | undefined;
  return {
    get edges() {
      return nodes.map((node) => ({ cursor: cursorOf(node)!, node }));
    },
    nodes,
    pageInfo: {
      hasNextPage: rows.length > first,
      hasPreviousPage: Boolean(paging.after),
      startCursor: cursorOf(nodes[0]) ?? null,
      endCursor: cursorOf(nodes.at(-1)) ?? null,
    },
    get totalCount() {
      count ??= options.count(where);
      return count;
    },
  };
}

export async function countRows(
  db: Db,
  from: Parameters<ReturnType<Db["select"]>["from"]>[0],
  where: SQL | undefined,
): Promise<number> {
  const [row] = await db.select({ count: sql<number>`count(*)::int` }).from(from).where(where);
  return row!.count;
}

/**
 * (a, b) after (x, y): a beyond x, or a = x and b beyond y. That `a` is x or beyond it follows, but only said outright does
 * it let an index begin there.
 */
function afterCursor(orderBy: OrderBy[], values: unknown[]): SQL | undefined {
  const [{ column: first, descending: down }] = orderBy as [OrderBy];
  const alternatives = orderBy.map(({ column, descending }, i) => {
    const equals = orderBy.slice(0, i).map((earlier, j) => eq(earlier.column, values[j]));
    return and(...equals, (descending ? lt : gt)(column, values[i]));
  });
  return and((down ? lte : gte)(first, values[0]), or(...alternatives));
}

const encodeCursor = (values: unknown[]): string => Buffer.from(JSON.stringify(values)).toString("base64url");

function decodeCursor(cursor: string, orderBy: OrderBy[]): unknown[] {
  const given = parseJson(Buffer.from(cursor, "base64url").toString("utf8"));
  if (Array.isArray(given) && given.length === orderBy.length) {
    const values = orderBy.map(({ column }, i) => comparable(column, given[i]));
    if (!values.includes(undefined)) return values;
  }
  throw new AppError(
    "BAD_INPUT",
    `after is "${cursor.slice(0, 40)}", which is no cursor of this list; use a pageInfo.endCursor.`,
    { field: "after" },
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The value a column can be compared with; undefined when a cursor made up, or of another list, holds something else. */
function comparable({ dataType, columnType, enumValues }: Column, value: unknown): unknown {
  if (dataType === "number") return Number.isSafeInteger(value) ? value : undefined;
  if (typeof value !== "string") return undefined;
  if (dataType === "date") return /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value) ? validDate(value) : undefined;
  if (columnType === "PgUUID") return /^[0-9a-f-]{36}$/.test(value) ? value : undefined;
  return !enumValues?.length || enumValues.includes(value) ? value : undefined;
}

function validDate(text: string): Date | undefined {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? undefined : date;
}
