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

  private cost(known: KnownDocument, { operationName, variables }: OperationRequest): number {
    if (known.facts.costVaries) return costOf(this.schema, known.document, operationName, variables);
    const name = operationName ?? "";
    const cost = known.costs.get(name) ?? costOf(this.schema, known.document, operationName, variables);
    known.costs.set(name, cost);
    return cost;
  }
}

export interface ExecutionRequest {
  schema: GraphQLSchema;
  document: DocumentNode;
  contextValue: Context;
  operationName?: string | null;
  variableValues?: Record<string, unknown> | null;
}

/** Executes a query or mutation and gives it up at the deadline; its statements end by `statement_timeout`. */
export async function executeWithDeadline(request: ExecutionRequest): Promise<ExecutionResult> {
  const deadline = new AbortController();
  const tooLate = request.contextValue.scope.app.clock
    .sleep(LIMITS.deadlineMs, deadline.signal)
    .then((): ExecutionResult => {
      const error = new AppError(
        "DEADLINE_EXCEEDED",
        `The operation ran longer than ${LIMITS.deadlineMs / 1000} s and was given up.`,
      );
      return { errors: [new GraphQLError(error.message, { originalError: error })] };
    });
  const result = execute(request);
  // Most operations are answered by then; only one that waits needs a timer at all.
  if (!(result instanceof Promise)) {
    deadline.abort();
    return result as ExecutionResult;
  }
  try {
    return await Promise.race([result, tooLate]);
  } finally {
    deadline.abort();
  }
}
