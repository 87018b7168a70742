import { GraphQLError, GraphQLScalarType, Kind, print } from "graphql";
import { GraphQLDateTime, GraphQLJSON } from "graphql-scalars";
import { formatDuration } from "../kernel/durations.js";

const text = (name: string, description: string, serialize: (value: unknown) => unknown = String) => {
  const refusal = (given: string) => new GraphQLError(`${name} takes text, not ${given}`);
  return new GraphQLScalarType({
    name,
    description,
    serialize,
    parseValue(value) {
      if (typeof value !== "string") throw refusal(JSON.stringify(value));
      return value;
    },
    parseLiteral(node) {
      if (node.kind !== Kind.STRING) throw refusal(print(node));
      return node.value;
    },
  });
};

export const Cursor = text("Cursor", "A position in the event log. Opaque: keep it and hand it back.");
export const Duration = text("Duration", "A length of time: `500ms`, `10s`, `5m`, `2h` or `1d`.", (ms) =>
  formatDuration(Number(ms)),
);
export const BigIntText = text("BigInt", "A whole number as text, exact beyond 2^53.");
export const DateTime = GraphQLDateTime;
export const Json = GraphQLJSON;

/** Handed through as it came: `packages/plugins/src/wire.ts` validates it by hand, column by column. */
const wire = (name: string, description: string) =>
  new GraphQLScalarType({ name, description, serialize: (value) => value, parseValue: (value) => value });

export const ResultBatch = wire("ResultBatch", "Columnar probe results; see PROTOCOL.md.");
export const OutputBatch = wire("OutputBatch", "Output of a command; see PROTOCOL.md.");
