import { createRequire } from "node:module";
import { maxAliasesRule } from "@escape.tech/graphql-armor-max-aliases";
import { maxDepthRule } from "@escape.tech/graphql-armor-max-depth";
import { maxDirectivesRule } from "@escape.tech/graphql-armor-max-directives";
import {
  type ArgumentNode,
  type DocumentNode,
  type GraphQLError,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isListType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  specifiedRules,
  type ValidationContext,
  type ValidationRule,
  visit,
} from "graphql";
import type {
  ComplexityEstimator,
  ComplexityEstimatorArgs,
  getComplexity as GetComplexity,
} from "graphql-query-complexity";
import { AppError } from "../kernel/app-error.js";
import type { Principal } from "../kernel/permissions.js";
import { MAX_PAGE } from "./max-page.js";

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
  /** What one socket may have unread before it is ended; the queue of a subscription is bounded lower. */
  socketBufferBytes: 16 * 1024 * 1024,
  /** Of a subscription. */
  eventsPerPage: 200,
  operationsPerSocket: 200,
  /** Queries and mutations under way, over HTTP and WebSocket together. */
  operationsPerPrincipal: 500,
  /** The same for callers without a token. */
  operationsPerAddress: 50,
} as const;

const refuse = (message: string): never => {
  throw new AppError("DOCUMENT_TOO_COMPLEX", message);
};
// They neither throw nor report by themselves then: thrown, the refusal would be no validation error.
const armor = {
  propagateOnRejection: false,
  onReject: [(context: ValidationContext | null, error: GraphQLError) => context!.reportError(error)],
};

/** What we ask of a document beyond the specification. */
const limitRules: ValidationRule[] = [
  maxDepthRule({ n: LIMITS.depth, ignoreIntrospection: true, flattenFragments: true, ...armor }) as ValidationRule,
  maxAliasesRule({ n: LIMITS.aliases, ...armor }) as ValidationRule,
  maxDirectivesRule({ n: LIMITS.directives, ...armor }) as ValidationRule,
];

export const validationRules: readonly ValidationRule[] = [...specifiedRules, ...limitRules];

/** What can be said of a document once, whoever sends it. */
export interface DocumentFacts {
  introspects: boolean;
  rootFields: number;
  /** The variables that the cost depends on: it must be counted for each combination of their values. */
  costVariables: string[];
}

export function factsOf(document: DocumentNode): DocumentFacts {
  let introspects = false;
  const costVariables = new Set<string>();
  const note = ({ value }: ArgumentNode) => {
    if (value.kind === Kind.VARIABLE) costVariables.add(value.name.value);
  };
  let rootFields = 0;
  visit(document, {
    Field(node) {
      introspects ||= node.name.value === "__schema" || node.name.value === "__type";
      for (const argument of node.arguments ?? []) if (argument.name.value === "first") note(argument);
    },
    Directive(node) {
      node.arguments?.forEach(note);
    },
  });
  for (const definition of document.definitions) {
    if (definition.kind === Kind.OPERATION_DEFINITION)
      rootFields = Math.max(rootFields, countRootFields(definition, document));
  }
  return { introspects, rootFields, costVariables: [...costVariables] };
}

function countRootFields(operation: OperationDefinitionNode, document: DocumentNode): number {
  const fragments = new Map(
    document.definitions.flatMap((d) => (d.kind === Kind.FRAGMENT_DEFINITION ? [[d.name.value, d] as const] : [])),
  );
  // Kept per fragment: fragments that spread others twice would take two to the power of their number.
  const counted = new Map<string, number>();
  const countFragment = (name: string): number => {
    const known = counted.get(name) ?? count(fragments.get(name)!.selectionSet);
    counted.set(name, known);
    return known;
  };
  const count = ({ selections }: SelectionSetNode): number =>
    selections.reduce((sum, selection) => {
      if (selection.kind === Kind.FIELD) return sum + 1;
      return (
        sum +
        (selection.kind === Kind.INLINE_FRAGMENT ? count(selection.selectionSet) : countFragment(selection.name.value))
      );
    }, 0);
  return count(operation.selectionSet);
}

/** What a list without `first` is taken to hold; the lists of a page are counted where the page is asked for. */
const UNPAGED_LIST = 10;
const isPage = (type: GraphQLNamedType): boolean => /(Connection|Page)$/.test(type.name);

function sizeOf({ args, field, type }: ComplexityEstimatorArgs): number {
  if (typeof args.first === "number") return Math.max(1, args.first);
  const isSubscribed = type.name === "Subscription";
  if (isSubscribed && isPage(getNamedType(field.type))) return LIMITS.eventsPerPage;
  if (!isListType(getNullableType(field.type)) || isPage(type)) return 1;
  return isSubscribed || type.name.startsWith("Bulk") ? MAX_PAGE : UNPAGED_LIST;
}

const estimator: ComplexityEstimator = (selected) => 1 + sizeOf(selected) * selected.childComplexity;

/** Counts each selected field once, times the size of every list above it. */
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
