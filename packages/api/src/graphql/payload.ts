import { type ClassType, Field, ObjectType } from "type-graphql";
import { AppError, ERROR_CODES } from "../kernel/app-error.js";
import type { FieldError } from "../kernel/command.js";

@ObjectType({ description: "Why a mutation was refused. `code` stands in docs/errors.md." })
export class UserError {
  @Field(() => String, { description: "For programs: CONFLICT, for example." }) code!: string;
  @Field(() => String, { nullable: true, description: "The field of the input that it is about." })
  field!: string | null;
  @Field(() => String, { description: "For people: what was wrong, and what to do." }) message!: string;
}

/** The payload type of a mutation: `field` with the object, `userErrors`, `clientMutationId`. */
export function payloadOf<T extends object>(
  name: string,
  fields: Record<string, { type: () => unknown; description?: string }>,
): ClassType<T> {
  class Payload {
    clientMutationId?: string | null;
    userErrors!: UserError[];
  }
  Object.defineProperty(Payload, "name", { value: name });
  Field(() => String, { nullable: true, description: "As it was given." })(Payload.prototype, "clientMutationId");
  for (const [key, { type, description }] of Object.entries(fields)) {
    Field(type as never, { nullable: true, description })(Payload.prototype, key);
  }
  Field(() => [UserError], { description: "Why it was refused; empty when it was done." })(
    Payload.prototype,
    "userErrors",
  );
  ObjectType(name, { description: "What was done, or in `userErrors` why it was refused." })(Payload);
  return Payload as unknown as ClassType<T>;
}

/**
 * Runs a command and answers with its payload. An expected refusal becomes `userErrors`; everything else, and every
 * refusal that is about who asks, stays a top-level error. `whenRefused` fills fields that cannot be null.
 */
export async function payload<Fields extends object>(
  input: object,
  run: () => Promise<Fields>,
  whenRefused: Partial<Fields> = {},
) {
  const { clientMutationId = null } = input as { clientMutationId?: string | null };
  try {
    return { clientMutationId, userErrors: [] as UserError[], ...(await run()) };
  } catch (error) {
    if (!(error instanceof AppError) || !ERROR_CODES[error.code].expected) throw error;
    return { ...whenRefused, clientMutationId, userErrors: userErrors(error) };
  }
}

export function userErrors({ code, message, details }: AppError): UserError[] {
  const fields = details.fields as FieldError[] | undefined;
  if (fields) return fields.map((f) => ({ code, field: f.field, message: f.message }));
  const field = (details.field as string | undefined) ?? null;
  // Where the field stands beside the message, it need not stand in it.
  return [{ code, field, message: message.replace(`${field}: `, "") }];
}
