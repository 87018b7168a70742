import { createHash } from "node:crypto";
import {
  type ExecutionArgs,
  execute,
  type FieldNode,
  getArgumentValues,
  Kind,
  type OperationDefinitionNode,
} from "graphql";
import { type Context, newContext } from "../graphql/context.js";
import { formatError } from "../graphql/format-error.js";
import { encodeCursor } from "./cursor.js";
import { type EventFilter, type EventPage, publish } from "./event.type.js";
import { matcher } from "./event-filter.js";
import type { EventLog } from "./event-log.js";
import type { SharedQuery } from "./reader-group.js";

export interface EventSubscription {
  query: SharedQuery;
  after: string | null;
}

type Args = ExecutionArgs & { contextValue: Context };

/** The subscription's one root field, when it is `incidentEvents`. */
export function eventField(operation: OperationDefinitionNode): FieldNode | undefined {
  const [field] = operation.selectionSet.selections;
  return operation.operation === "subscription" && field?.kind === Kind.FIELD && field.name.value === "incidentEvents"
    ? field
    : undefined;
}

/**
 * What an `incidentEvents` operation has in common with others of the same text, variables and visibility. Everyone who
 * may read may read every event, so the visibility is one and does not stand in the key.
 */
export function eventSubscription(source: string, args: Args, field: FieldNode, log: EventLog): EventSubscription {
  const definition = args.schema.getSubscriptionType()!.getFields().incidentEvents!;
  const given = getArgumentValues(definition, field, args.variableValues) as {
    filter?: EventFilter | null;
    after?: string | null;
  };
  return {
    after: given.after ?? null,
    query: { key: keyOf(source, args, field), matches: matcher(given.filter), ...renderer(args, log) },
  };
}

function keyOf(source: string, { operationName, variableValues }: Args, field: FieldNode): string {
  const after = field.arguments?.find((argument) => argument.name.value === "after")?.value;
  const variables = { ...variableValues };
  if (after?.kind === Kind.VARIABLE) delete variables[after.name.value];
  return createHash("sha256")
    .update(JSON.stringify([source, operationName, variables]))
    .digest("base64url");
}

function renderer(args: Args, log: EventLog): Pick<SharedQuery, "render" | "renderGap"> {
  const { app, principal } = args.contextValue.scope;
  const render = async (page: EventPage): Promise<string> => {
    const contextValue = newContext(app, principal);
    const result = await execute({ ...args, rootValue: page, contextValue });
    const errors = result.errors?.map((error) => formatError(error, contextValue.requestId, app.log));
    return JSON.stringify({ data: result.data, ...(errors && { errors }) });
  };
  const cursorAt = (seq: number) => encodeCursor({ epoch: log.epoch, seq });
  return {
    render: (rows, to, caughtUp) =>
      render({ events: rows.map((row) => publish(row, log.epoch)), cursor: cursorAt(to), caughtUp, gap: null }),
    renderGap: (reason) =>
      render({ events: [], cursor: cursorAt(0), caughtUp: false, gap: { reason, oldestCursor: cursorAt(0) } }),
  };
}
