/** A reference names an environment variable of the agent, so that the secret itself never reaches the server. */
const REFERENCE = /^env:([A-Za-z_][A-Za-z0-9_]*)$/;

/** The value a config names by reference is not there. The message holds the name, never a value. */
export class SecretError extends Error {
  override name = "SecretError";
}

/**
 * Resolves `env:NAME` to that environment variable; any other text is itself.
 * @throws {SecretError} naming the variable that is not set
 */
export function resolveSecret(
  text: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const name = REFERENCE.exec(text)?.[1];
  if (name === undefined) return text;
  const value = environment[name];
  if (value) return value;
  throw new SecretError(
    `the environment variable ${name} is not set for the agent; set it where the agent starts, or correct "env:${name}"`,
  );
}
