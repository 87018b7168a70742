import {
  type DocumentNode,
  type ExecutionResult,
  execute,
  GraphQLError,
  type GraphQLSchema,
  getOperationAST,
  type OperationDefinitionNode,
  parse,
  validate,
} from "graphql";
import { AppError } from "../kernel/app-error.js";
import type { Context } from "./context.js";
import { checkLength, checkOperation, costOf, type DocumentFacts, factsOf, LIMITS, validationRules } from "./limits.js";

export interface OperationRequest {
  query: string;
  operationName?: string | null;
  variables?: Record<string, unknown> | null;
}

export interface PreparedOperation {
  document: DocumentNode;
  operation: OperationDefinitionNode;
}

/** Whatever a check or an execution threw, as errors of a GraphQL result. */
export const asErrors = (error: unknown): GraphQLError[] =>
  (Array.isArray(error) ? error : [error]).map((e) =>
    e instanceof GraphQLError ? e : new GraphQLError(String(e?.message ?? e), { originalError: e }),
  );

/** Of one document, by the values of the variables that its cost depends on; a list is asked for in few page sizes. */
const COSTS_KEPT = 20;
const COST_KEY_CHARS = 200;

interface KnownDocument {
  document: DocumentNode;
  facts: DocumentFacts;
  costs: Map<string, number>;
}

/**
 * Parse, validate, measure: what a document passes before it runs, on either transport. Agents and dashboards send the
 * same few documents again and again, so what was found out about a text is kept (500 texts).
 */
export class Operations {
  private readonly known = new Map<string, KnownDocument>();
  constructor(readonly schema: GraphQLSchema) {}

  /** @throws {AppError | GraphQLError | readonly GraphQLError[]} what is wrong with the document */
  prepare(request: OperationRequest, context: Context): PreparedOperation {
    const known = this.lookUp(request.query);
    const operation = getOperationAST(known.document, request.operationName);
    if (!operation)
      throw new AppError(
        "BAD_REQUEST",
        `The document has no operation ${request.operationName ? `"${request.operationName}"` : "that can be chosen: name one"}.`,
      );
    checkOperation(known.facts, this.cost(known, request), context.scope.principal);
    return { document: known.document, operation };
  }

  private lookUp(query: string): KnownDocument {
    const known = this.known.get(query) ?? this.examine(query);
    this.known.delete(query);
    this.known.set(query, known);
    if (this.known.size > 500) this.known.delete(this.known.keys().next().value!);
    return known;
  }

  private examine(query: string): KnownDocument {
    checkLength(query);
    const document = parse(query, { maxTokens: LIMITS.tokens });
    const errors = validate(this.schema, document, validationRules, { maxErrors: 5, hideSuggestions: true });
    if (errors.length > 0) throw errors;
    return { document, facts: factsOf(document), costs: new Map() };
  }

  private cost({ document, facts, costs }: KnownDocument, { operationName, variables }: OperationRequest): number {
    // A variable that is absent is not one that is null: it has its default.
    const given = facts.costVariables.flatMap((name) =>
      variables && name in variables ? [name, variables[name]] : [],
    );
    const key = JSON.stringify([operationName ?? "", ...given]);
    const cost = costs.get(key) ?? costOf(this.schema, document, operationName, variables);
    if (costs.size < COSTS_KEPT && key.length < COST_KEY_CHARS) costs.set(key, cost);
    return cost;
  }
}

export interface ExecutionRequest {
  schema: GraphQLSchema;
  document: DocumentNode;
  contextValue: Context;
  rootValue?: unknown;
  operationName?: string | null;
  variableValues?: Record<string, unknown> | null;
}

/** Executes a query, a mutation or a subscription's page and gives it up at the deadline; its statements end by `statement_timeout`. */
export async function executeWithDeadline(request: ExecutionRequest): Promise<ExecutionResult> {
  const result = execute(request);
  if (!(result instanceof Promise)) return result;
  const deadline = new AbortController();
  const { clock } = request.contextValue.scope.app;
  try {
    const late = clock.sleep(LIMITS.deadlineMs, deadline.signal).then(() => null);
    return (await Promise.race([result, late])) ?? tooLate();
  } finally {
    // With a reason: without one an error, its stack and all, is made for each operation.
    deadline.abort("answered");
  }
}

function tooLate(): ExecutionResult {
  const error = new AppError(
    "DEADLINE_EXCEEDED",
    `The operation ran longer than ${LIMITS.deadlineMs / 1000} s and was given up.`,
  );
  return { errors: [new GraphQLError(error.message, { originalError: error })] };
}
