import { createPublicKey } from "node:crypto";
import { AGENT_NAME } from "@poppo-ops/plugins/wire";
import { and, eq, isNull, sql } from "drizzle-orm";
import { z } from "zod";
import { type Db, violatedConstraint } from "../db/database.js";
import type { Scope } from "../kernel/app.js";
import { AppError } from "../kernel/app-error.js";
import { type Act, act, badInput, command, parseInput } from "../kernel/command.js";
import { duration } from "../kernel/durations.js";
import { hashToken, newToken, tokenPrefix } from "../kernel/ids.js";
import { type AgentRow, agentSessions, agents, enrolmentTokens } from "./agent.table.js";
import { signingKey } from "./signing-key.js";

const MINUTE = 60_000;
const labels = z.record(z.string().min(1).max(100), z.string().max(200));

export const createEnrolmentToken = command({
  permission: "agent:manage",
  input: z.object({
    namePattern: z
      .string()
      .trim()
      .min(1)
      .max(100)
      .default("*")
      .describe("A glob the agent's name must match: `*` is any text, `?` one character."),
    labels: labels.optional().describe("The agent gets them; probes choose their agents by labels."),
    expiresIn: duration(MINUTE, 7 * 24 * 60 * MINUTE)
      .optional()
      .describe("15 minutes when absent, 7 days at most."),
  }),
  async run({ db, now, emit, scope }, { namePattern, labels = {}, expiresIn = 15 * MINUTE }) {
    const token = newToken("enrol");
    const expiresAt = new Date(now.getTime() + expiresIn);
    await db.insert(enrolmentTokens).values({
      hash: hashToken(token),
      prefix: tokenPrefix(token),
      namePattern,
      labels,
      createdBy: scope.principal.name,
      createdAt: now,
      expiresAt,
    });
    emit({
      type: "agent.enrolment_token_created",
      summary: `An enrolment token for agents named "${namePattern}" was made`,
      payload: { prefix: tokenPrefix(token), namePattern, labels, expiresAt },
    });
    return { token, expiresAt };
  },
});

export const enrolAgentInput = z.object({
  token: z.string().min(1).max(200).describe("The enrolment token."),
  name: z
    .string()
    .regex(AGENT_NAME, "letters, digits, dots, dashes and underscores, up to 100")
    .describe("Unique among the agents that are not revoked; usually the host's name."),
  publicKey: z.record(z.string(), z.unknown()).describe("Ed25519 public key, JWK as JSON."),
  facts: z.record(z.string(), z.unknown()).describe("What the host is: platform, release, and so on."),
  version: z.string().max(100).describe("The agent's version."),
});

/**
 * Makes an agent of a host. The token in the input is the credential, so this needs no other.
 * The same key with the same token is a retry whose answer was lost: it gets the same agent again.
 * @throws {AppError} TOKEN_INVALID; ALREADY_EXISTS when an agent of that name is enrolled; BAD_INPUT
 */
export async function enrolAgent(scope: Scope, raw: z.input<typeof enrolAgentInput>) {
  const input = parseInput(enrolAgentInput, raw);
  const publicKey = checkPublicKey(input.publicKey);
  if (JSON.stringify(input.facts).length > 16_384)
    throw badInput([{ field: "facts", message: "They are larger than 16 KiB." }]);
  const { publicJwk: serverKey } = await signingKey(scope.app);
  const actor = { ...scope.principal, name: `enrolment of ${input.name}` };
  const agent = await act({ ...scope, principal: actor }, async (tools) => {
    const token = await useToken(tools, input.token, input.name);
    if (!token)
      return (await retriedAgent(tools.db, input.token, publicKey)) ?? refuseToken(tools, input.token, input.name);
    return insertAgent(tools, token, { ...input, publicKey });
  });
  return { agent, serverKey };
}

/** One conditional update decides who uses the token, and rolls back with everything else when the rest is refused. */
async function useToken({ db, now }: Act, token: string, name: string) {
  const pattern = sql`replace(replace(replace(replace(replace(${enrolmentTokens.namePattern},
    '\\', '\\\\'), '%', '\\%'), '_', '\\_'), '*', '%'), '?', '_')`;
  const [used] = await db
    .update(enrolmentTokens)
    .set({ usedAt: now })
    .where(
      and(
        eq(enrolmentTokens.hash, hashToken(token)),
        isNull(enrolmentTokens.usedAt),
        sql`${enrolmentTokens.expiresAt} > ${now}`,
        sql`${name} like ${pattern}`,
      ),
    )
    .returning();
  return used;
}

async function insertAgent(
  { db, now, emit }: Act,
  token: typeof enrolmentTokens.$inferSelect,
  { name, publicKey, facts, version }: z.output<typeof enrolAgentInput> & { publicKey: Record<string, string> },
): Promise<AgentRow> {
  const [agent] = await db
    .insert(agents)
    .values({ name, publicKey, facts, version, labels: token.labels, enrolledAt: now })
    .returning()
    .catch(refuseTakenName(name));
  await db.insert(agentSessions).values({ agentId: agent!.id });
  await db.update(enrolmentTokens).set({ agentId: agent!.id }).where(eq(enrolmentTokens.id, token.id));
  emit({
    type: "agent.enrolled",
    summary: `Agent "${name}" was enrolled`,
    payload: { agentId: agent!.id, name, labels: token.labels, enrolmentToken: token.prefix, tokenBy: token.createdBy },
  });
  return agent!;
}

async function retriedAgent(db: Db, token: string, publicKey: Record<string, string>): Promise<AgentRow | undefined> {
  const [row] = await db
    .select({ agent: agents })
    .from(enrolmentTokens)
    .innerJoin(agents, eq(agents.id, enrolmentTokens.agentId))
    .where(
      and(
        eq(enrolmentTokens.hash, hashToken(token)),
        isNull(agents.revokedAt),
        sql`${agents.publicKey} ->> 'x' = ${publicKey.x}`,
      ),
    );
  return row?.agent;
}

async function refuseToken({ db, now }: Act, token: string, name: string): Promise<never> {
  const [known] = await db
    .select()
    .from(enrolmentTokens)
    .where(eq(enrolmentTokens.hash, hashToken(token)));
  const why = !known
    ? "is unknown"
    : known.usedAt
      ? `was used at ${known.usedAt.toISOString()}; a token enrols one agent`
      : known.expiresAt <= now
        ? `expired at ${known.expiresAt.toISOString()}`
        : `is for agents named "${known.namePattern}", which "${name}" is not`;
  throw new AppError("TOKEN_INVALID", `The enrolment token ${why}. Make a new one with \`poppo-ops agents enrol\`.`, {
    field: "token",
  });
}

/** Keeps only what an Ed25519 public key needs: nothing else of what was sent is stored. */
function checkPublicKey(jwk: Record<string, unknown>): Record<string, string> {
  const { kty, crv, x, d } = jwk;
  const wrong =
    d !== undefined
      ? "It holds the private part `d`, which must never leave the host; make a new key pair and send only its public part."
      : kty !== "OKP" || crv !== "Ed25519"
        ? `kty is ${JSON.stringify(kty)} and crv is ${JSON.stringify(crv)}; only OKP with Ed25519 is accepted.`
        : undefined;
  if (wrong) throw badInput([{ field: "publicKey", message: wrong }]);
  try {
    createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: x as string }, format: "jwk" });
  } catch {
    throw badInput([{ field: "publicKey", message: "x is not the 32 bytes of an Ed25519 public key in base64url." }]);
  }
  return { kty: "OKP", crv: "Ed25519", x: x as string };
}

const refuseTakenName = (name: string) => (error: unknown) => {
  if (violatedConstraint(error) !== "agents_name") throw error;
  throw new AppError(
    "ALREADY_EXISTS",
    `name: an agent "${name}" is enrolled already. Revoke it first if this host replaces it, or enrol under another name.`,
    { field: "name" },
  );
};
