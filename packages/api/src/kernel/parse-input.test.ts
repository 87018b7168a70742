import { expect, test } from "vitest";
import { z } from "zod";
import { AppError } from "./app-error.js";
import { type FieldError, parseInput } from "./command.js";

const schema = z.object({
  title: z.string().trim().min(1).max(10),
  note: z.string().optional(),
  assignee: z.string().nullable(),
  count: z.number().int().min(1).default(3),
  id: z.uuid().optional(),
  ids: z.array(z.string()).max(2).optional(),
  mode: z.enum(["ON", "OFF"]).optional(),
  evidence: z.unknown().optional(),
  labels: z.record(z.string(), z.string()).optional(),
});

function refusal(input: unknown): FieldError[] {
  try {
    parseInput(schema, input);
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    expect((error as AppError).code).toBe("BAD_INPUT");
    return (error as AppError).details.fields as FieldError[];
  }
  throw new Error("it was accepted");
}

test("null means absent, except where null is a value", () => {
  const parsed = parseInput(schema, {
    title: " disk ",
    note: null,
    assignee: null,
    count: null,
    clientMutationId: "x",
  });
  expect(parsed).toEqual({ title: "disk", assignee: null, count: 3 });
});

test("a required field that is null is missing", () => {
  expect(refusal({ title: null, assignee: null }).map((f) => f.field)).toEqual(["title"]);
});

test("every field that is wrong is named, with its reason", () => {
  const fields = refusal({ title: "much too long a title", assignee: 7, count: 0 });
  expect(fields.map((f) => f.field)).toEqual(["title", "assignee", "count"]);
  expect(fields.every((f) => f.message.length > 0)).toBe(true);
});

test.each([
  ["text that is empty", { title: " " }, "It is empty."],
  ["text that is too long", { title: "twelve chars" }, "It has 12 characters; at most 10 are allowed."],
  ["a number that is too small", { count: 0 }, "It is 0; at least 1 is allowed."],
  ["what is no id", { id: "x" }, '"x" is no id; ids are UUIDs.'],
  ["a list that is too long", { ids: ["a", "b", "c"] }, "It has 3 entries; at most 2 are allowed."],
  ["a word that is none of those allowed", { mode: "auto" }, '"auto" is not allowed; allowed: ON, OFF.'],
])("%s is refused with its value and what is allowed", (_what, wrong, message) => {
  const all = { title: "a", assignee: null, ...wrong };
  expect(refusal(all)).toEqual([{ field: Object.keys(wrong)[0], message }]);
});

test.each([
  ["U+0000 in text", { title: "a\u0000b", assignee: null }, "title", /U\+0000/],
  ["U+0000 deep inside", { title: "a", assignee: null, evidence: [{ x: ["\u0000"] }] }, "evidence", /U\+0000/],
  ["U+0000 in a key", { title: "a", assignee: null, labels: { "k\u0000": "v" } }, "labels", /U\+0000/],
  ["half of a surrogate pair", { title: "a\ud83d", assignee: null }, "title", /surrogate/],
])("%s is refused by the field's name", (_what, input, field, message) => {
  expect(refusal(input)).toEqual([{ field, message: expect.stringMatching(message) }]);
});

test("whole surrogate pairs are text like any other", () => {
  expect(parseInput(schema, { title: "🔥 disk", assignee: null }).title).toBe("🔥 disk");
});

test("what is nested so deep that it would exhaust the stack is refused", () => {
  const evidence = JSON.parse(`${"[".repeat(200_000)}${"]".repeat(200_000)}`);
  expect(refusal({ title: "a", assignee: null, evidence })).toEqual([
    { field: "evidence", message: "It is nested deeper than 100 levels." },
  ]);
});
