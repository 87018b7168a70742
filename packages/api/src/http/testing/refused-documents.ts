import type { ErrorCode } from "../../kernel/app-error.js";

/** A request that both transports refuse in the same way. */
export interface RefusedDocument {
  what: string;
  query: string;
  variables?: Record<string, unknown>;
  operationName?: string;
  code: ErrorCode;
  message?: RegExp;
}

export const times = (count: number, text: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => text(i)).join(" ");
const dependsOn = (depth: number): string => (depth === 0 ? "id" : `dependsOn { ${dependsOn(depth - 1)} }`);
const paged = (first: string) =>
  `incidents(first: ${first}) { nodes { timeline(first: ${first}) { events { summary incident { timeline(first: ${first}) { events { summary } } } } } } }`;
const ofServices = (selections: string) => `{ services(first: 1) { nodes { ${selections} } } }`;
const doubling = (type: string, leaf: string) =>
  `${times(60, (i) => `fragment F${i} on ${type} { ...F${i + 1} ...F${i + 1} }`)} fragment F60 on ${type} { ${leaf} }`;

const MALFORMED: RefusedDocument[] = [
  { what: "no GraphQL", query: "{ viewer ", code: "GRAPHQL_PARSE_FAILED" },
  { what: "900 braces that never close", query: "{ a ".repeat(900), code: "GRAPHQL_PARSE_FAILED" },
  { what: "an emoji as a field", query: "{ 🦄 }", code: "GRAPHQL_PARSE_FAILED" },
  { what: "U+0000 in the document", query: "{ viewer\u0000 { name } }", code: "GRAPHQL_PARSE_FAILED" },
  { what: "U+202E, which turns what is read", query: "{ viewer { name\u202e } }", code: "GRAPHQL_PARSE_FAILED" },
  { what: "half a surrogate pair", query: '{ service(name: "\ud800") { id } }', code: "GRAPHQL_PARSE_FAILED" },
  { what: "an unknown field", query: "{ viewr { name } }", code: "GRAPHQL_VALIDATION_FAILED" },
  {
    what: "a variable of a wrong type",
    query: "query($n: Int!) { incidents(first: $n) { totalCount } }",
    variables: { n: "x" },
    code: "GRAPHQL_VALIDATION_FAILED",
  },
  {
    what: "two operations and no name",
    query: "query A { viewer { name } } query B { viewer { name } }",
    code: "BAD_REQUEST",
  },
  {
    what: "an operation name of 500,000 characters",
    query: "{ viewer { name } }",
    operationName: "x".repeat(500_000),
    code: "BAD_REQUEST",
    message: /^.{500,1100}$/,
  },
  {
    what: "a wrong value of 500,000 characters",
    query: "query($n: Int!) { incidents(first: $n) { totalCount } }",
    variables: { n: "x".repeat(500_000) },
    code: "GRAPHQL_VALIDATION_FAILED",
    message: /^.{500,1100}$/,
  },
];

const WRONG_SCALARS = [
  ["Cursor", "query", "events(after: $value) { cursor }"],
  ["BigInt", "query", "auditLog(after: $value) { seq }"],
  ["Duration", "mutation", 'createApiToken(input: { name: "x", role: VIEWER, expiresIn: $value }) { token }'],
].flatMap(([scalar, operation, field]): RefusedDocument[] => {
  const expected = { code: "GRAPHQL_VALIDATION_FAILED", message: new RegExp(`${scalar} takes text, not 5`) } as const;
  const byVariable = `${operation}($value: ${scalar}) { ${field} }`;
  return [
    { what: `a number as a ${scalar}`, query: `${operation} { ${field!.replace("$value", "5")} }`, ...expected },
    { what: `a number as a variable of type ${scalar}`, query: byVariable, variables: { value: 5 }, ...expected },
  ];
});

const TOO_LARGE: RefusedDocument[] = [
  { what: "20,001 characters", query: `{ viewer { name } } #${"x".repeat(20_000)}`, code: "DOCUMENT_TOO_LARGE" },
  { what: "2,001 tokens", query: `{ viewer { ${times(2001, () => "name")} } }`, code: "DOCUMENT_TOO_LARGE" },
];

const TOO_COMPLEX: (Omit<RefusedDocument, "code"> & { message: RegExp })[] = [
  { what: "depth", query: ofServices(dependsOn(12)), message: /depth limit of 12 exceeded/ },
  {
    what: "aliases",
    query: `{ viewer { ${times(16, (i) => `a${i}: name`)} } }`,
    message: /Aliases limit of 15 exceeded/,
  },
  {
    what: "directives",
    query: `{ viewer { ${times(51, () => "name @include(if: true)")} } }`,
    message: /Directives limit of 50 exceeded/,
  },
  {
    what: "root fields",
    query: `{ ${times(11, (i) => `a${i}: __typename`)} }`,
    message: /11 root fields; the limit is 10/,
  },
  {
    what: "root fields in fragments",
    query: `{ ...A ...A } fragment A on Query { ${times(6, (i) => `a${i}: __typename`)} }`,
    message: /12 root fields/,
  },
  { what: "cost by literals", query: `{ ${paged("100")} }`, message: /costs/ },
  { what: "cost by variables", query: `query($n: Int) { ${paged("$n")} }`, variables: { n: 500 }, message: /costs/ },
  { what: "cost by a variable's default", query: `query($n: Int = 500) { ${paged("$n")} }`, message: /costs/ },
  {
    what: "cost of a subscription's page",
    query:
      "subscription { incidentEvents { events { incident { timeline(first: 500) { events { summary incident { timeline(first: 45) { events { summary } } } } } } } } }",
    message: /costs/,
  },
  {
    what: "cost of a bulk mutation's answer",
    query:
      "mutation { resolveIncidents(input: { ids: [] }) { incidents { timeline(first: 500) { events { summary payload } } } } }",
    message: /costs/,
  },
  {
    what: "lists in lists that have no page size",
    query: `{ services(first: 500) { nodes { ${dependsOn(3)} } } }`,
    message: /costs/,
  },
  { what: "one field 1,900 times", query: `{ viewer { ${times(1900, () => "name")} } }`, message: /fields .* overlap/ },
  {
    what: "two fragments that overlap in 180 fields",
    query: `${ofServices("...A ...B")} ${["A", "B"].map((name) => `fragment ${name} on Service { ${times(180, () => "dependsOn { id name }")} }`).join(" ")}`,
    message: /fields .* overlap/,
  },
  {
    what: "fragments that double with each other",
    query: `${ofServices("...F0")} ${doubling("Service", "id")}`,
    message: /maximum allowed number of nodes/,
  },
  {
    what: "fragments that double at the root",
    query: `{ ...F0 } ${doubling("Query", "__typename")}`,
    message: /maximum allowed number of nodes/,
  },
];

const CYCLES: RefusedDocument[] = [
  "{ ...A } fragment A on Query { ...A }",
  `${ofServices("...A")} fragment A on Service { dependsOn { ...B } } fragment B on Service { dependsOn { ...A } }`,
  "{ viewer { name } } fragment A on Query { ...A }",
].map((query, i) => ({
  what: `fragments in a circle, ${["at the root", "by way of another", "used nowhere"][i]}`,
  query,
  code: "GRAPHQL_VALIDATION_FAILED",
  message: /within itself/,
}));

export const REFUSED_DOCUMENTS: RefusedDocument[] = [
  ...MALFORMED,
  ...WRONG_SCALARS,
  ...TOO_LARGE,
  ...TOO_COMPLEX.map((one) => ({ ...one, code: "DOCUMENT_TOO_COMPLEX" as const })),
  ...CYCLES,
];
