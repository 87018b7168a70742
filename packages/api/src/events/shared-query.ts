import { createHash } from "node:crypto";
import {
  type DocumentNode,
  type ExecutionArgs,
  type FieldNode,
  type FragmentDefinitionNode,
  getArgumentValues,
  getVariableValues,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  visit,
} from "graphql";
import { type Context, newContext } from "../graphql/context.js";
import { codeOf, formatError } from "../graphql/format-error.js";
import { executeWithDeadline } from "../graphql/operation.js";
import type { ErrorCode } from "../kernel/app-error.js";
import { encodeCursor, type Position } from "./cursor.js";
import { type EventFilter, type EventPage, publish } from "./event.type.js";
import { matcher } from "./event-filter.js";
import type { EventLog } from "./event-log.js";
import type { SharedQuery } from "./reader-group.js";

export interface EventSubscription {
  query: SharedQuery;
  after: string | null;
}

type Args = ExecutionArgs & { contextValue: Context; operation: OperationDefinitionNode };
type Variables = Record<string, unknown>;

/** The subscription's one root field, when it is `incidentEvents`; validation has made sure that there is one. */
export function eventField(operation: OperationDefinitionNode, document: DocumentNode): FieldNode | undefined {
  if (operation.operation !== "subscription") return undefined;
  const field = firstField(operation.selectionSet, document);
  return field?.name.value === "incidentEvents" ? field : undefined;
}

function firstField({ selections: [first] }: SelectionSetNode, document: DocumentNode): FieldNode | undefined {
  if (!first || first.kind === Kind.FIELD) return first;
  if (first.kind === Kind.INLINE_FRAGMENT) return firstField(first.selectionSet, document);
  const isFragment = (d: { kind: string }): d is FragmentDefinitionNode => d.kind === Kind.FRAGMENT_DEFINITION;
  const fragment = document.definitions.filter(isFragment).find((f) => f.name.value === first.name.value);
  return fragment && firstField(fragment.selectionSet, document);
}

/**
 * What an `incidentEvents` operation has in common with others of the same text, variables and visibility. What somebody
 * may see goes by the role alone, and a page is rendered for the first who asks for it.
 * @throws {readonly GraphQLError[]} when the variables do not fit
 */
export function eventSubscription(source: string, args: Args, field: FieldNode, log: EventLog): EventSubscription {
  const variables = getVariableValues(args.schema, args.operation.variableDefinitions ?? [], args.variableValues ?? {});
  if (variables.errors) throw variables.errors;
  const definition = args.schema.getSubscriptionType()!.getFields().incidentEvents!;
  const given = getArgumentValues(definition, field, variables.coerced) as {
    filter?: EventFilter | null;
    after?: string | null;
  };
  return {
    after: given.after ?? null,
    query: {
      key: keyOf(source, args, shared(variables.coerced, field, args.document)),
      matches: matcher(given.filter),
      ...renderer(args, log),
    },
  };
}

/** The variables without the one that says where to begin, unless it says something else too. */
function shared(variables: Variables, field: FieldNode, document: DocumentNode): Variables {
  const after = field.arguments?.find((argument) => argument.name.value === "after")?.value;
  if (after?.kind !== Kind.VARIABLE) return variables;
  let uses = 0;
  visit(document, {
    VariableDefinition: () => false,
    Variable: (node) => {
      if (node.name.value === after.name.value) uses++;
    },
  });
  const { [after.name.value]: _, ...others } = variables;
  return uses === 1 ? others : variables;
}

const keyOf = (source: string, { operationName, contextValue }: Args, variables: Variables): string =>
  createHash("sha256")
    .update(JSON.stringify([source, operationName, variables, contextValue.scope.principal.role]))
    .digest("base64url");

const PASSING = new Set<ErrorCode>(["UNAVAILABLE", "DEADLINE_EXCEEDED"]);

function renderer(args: Args, log: EventLog): Pick<SharedQuery, "render" | "renderGap"> {
  const { app, principal } = args.contextValue.scope;
  const render = async (page: EventPage): Promise<string> => {
    const contextValue = newContext(app, principal);
    const result = await executeWithDeadline({ ...args, rootValue: page, contextValue });
    // Events whose details could not be read now, or not in time, are read again, not handed out without.
    const passing = result.errors?.find((error) => PASSING.has(codeOf(error)));
    if (passing) throw passing;
    const errors = result.errors?.map((error) => formatError(error, contextValue.requestId, app.log));
    return JSON.stringify({ data: result.data, ...(errors && { errors }) });
  };
  return {
    render: (rows, to: Position, caughtUp) =>
      render({
        events: rows.map((row) => publish(row, to.epoch)),
        cursor: encodeCursor(to),
        caughtUp,
        gap: null,
      }),
    renderGap: (reason) => {
      const oldestCursor = encodeCursor({ epoch: log.epoch, seq: 0 });
      return render({ events: [], cursor: oldestCursor, caughtUp: false, gap: { reason, oldestCursor } });
    },
  };
}
