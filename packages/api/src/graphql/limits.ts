import { createRequire } from "node:module";
import { maxAliasesRule } from "@escape.tech/graphql-armor-max-aliases";
import { maxDepthRule } from "@escape.tech/graphql-armor-max-depth";
import { maxDirectivesRule } from "@escape.tech/graphql-armor-max-directives";
import {
  type DocumentNode,
  type FieldNode,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
  specifiedRules,
  type ValidationRule,
  visit,
} from "graphql";
import type { ComplexityEstimator, getComplexity as GetComplexity } from "graphql-query-complexity";
import { AppError } from "../kernel/app-error.js";
import type { Principal } from "../kernel/permissions.js";

// Its ES build loads graphql's `.mjs` files, a second realm beside everybody else's graphql; its CommonJS build does not.
const { getComplexity }: { getComplexity: typeof GetComplexity } = createRequire(import.meta.url)(
  "graphql-query-complexity",
);

/** The same for HTTP and WebSocket. */
export const LIMITS = {
  documentChars: 20_000,
  tokens: 2_000,
  depth: 12,
  aliases: 15,
  directives: 50,
  rootFields: 10,
  cost: 50_000,
  deadlineMs: 30_000,
  bodyBytes: 1024 * 1024,
  operationsPerSocket: 200,
  operationsPerPrincipal: 500,
} as const;

const refuse = (message: string): never => {
  throw new AppError("DOCUMENT_TOO_COMPLEX", message);
};
const armor = { propagateOnRejection: false } as const;

/** What we ask of a document beyond the specification; Apollo adds the specification's rules itself. */
export const limitRules: ValidationRule[] = [
  maxDepthRule({ n: LIMITS.depth, ignoreIntrospection: true, flattenFragments: true, ...armor }) as ValidationRule,
  maxAliasesRule({ n: LIMITS.aliases, ...armor }) as ValidationRule,
  maxDirectivesRule({ n: LIMITS.directives, ...armor }) as ValidationRule,
];

export const validationRules: readonly ValidationRule[] = [...specifiedRules, ...limitRules];

/** What can be said of a document once, whoever sends it. */
export interface DocumentFacts {
  introspects: boolean;
  rootFields: number;
  /** The cost depends on a variable, so it must be counted for each operation. */
  costVaries: boolean;
}

export function factsOf(document: DocumentNode): DocumentFacts {
  let introspects = false;
  let costVaries = false;
  let rootFields = 0;
  visit(document, {
    Field(node) {
      introspects ||= node.name.value === "__schema" || node.name.value === "__type";
      costVaries ||= (node.arguments ?? []).some((a) => a.name.value === "first" && a.value.kind === Kind.VARIABLE);
    },
    Directive(node) {
      costVaries ||= (node.arguments ?? []).some((a) => a.value.kind === Kind.VARIABLE);
    },
  });
  for (const definition of document.definitions) {
    if (definition.kind === Kind.OPERATION_DEFINITION)
      rootFields = Math.max(rootFields, countRootFields(definition, document));
  }
  return { introspects, rootFields, costVaries };
}

function countRootFields(operation: OperationDefinitionNode, document: DocumentNode): number {
  const fragments = new Map(
    document.definitions.flatMap((d) => (d.kind === Kind.FRAGMENT_DEFINITION ? [[d.name.value, d] as const] : [])),
  );
  const count = (set: { selections: readonly (FieldNode | { kind: string })[] }): number =>
    set.selections.reduce((sum, selection) => {
      const node = selection as FieldNode & { selectionSet?: never };
      if (node.kind === Kind.FIELD) return sum + 1;
      const inner =
        (selection as { selectionSet?: never; name?: { value: string } }).selectionSet ??
        fragments.get((selection as FieldNode).name.value)?.selectionSet;
      return sum + (inner ? count(inner) : 0);
    }, 0);
  return count(operation.selectionSet);
}

const estimator: ComplexityEstimator = ({ args, childComplexity }) =>
  typeof args.first === "number" ? 1 + Math.max(1, args.first) * childComplexity : 1 + childComplexity;

/** Counts each selected field once, times `first` of every list above it. */
export function costOf(
  schema: GraphQLSchema,
  document: DocumentNode,
  operationName?: string | null,
  variables?: Record<string, unknown> | null,
): number {
  return getComplexity({
    schema,
    query: document,
    operationName: operationName ?? undefined,
    variables: variables ?? {},
    estimators: [estimator],
  });
}

/** @throws {AppError} the limit that the operation exceeds, with its figure */
export function checkOperation(facts: DocumentFacts, cost: number, principal: Principal): void {
  if (facts.introspects && principal.kind === "anonymous")
    throw new AppError(
      "INTROSPECTION_REFUSED",
      "Introspection needs a token; the schema is also served at /schema.graphql.",
    );
  if (facts.rootFields > LIMITS.rootFields)
    refuse(`The operation has ${facts.rootFields} root fields; the limit is ${LIMITS.rootFields}.`);
  if (cost > LIMITS.cost)
    refuse(
      `The operation costs ${cost} (fields times page sizes); the limit is ${LIMITS.cost}. Ask for smaller pages.`,
    );
}

/** @throws {AppError} DOCUMENT_TOO_LARGE */
export function checkLength(source: string): void {
  if (source.length > LIMITS.documentChars)
    throw new AppError(
      "DOCUMENT_TOO_LARGE",
      `The document has ${source.length} characters; the limit is ${LIMITS.documentChars}.`,
    );
}
