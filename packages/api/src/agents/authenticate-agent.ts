import { ASSERTION } from "@poppo-ops/plugins/wire";
import { errors, importJWK, type JWTPayload, jwtVerify } from "jose";
import { z } from "zod";
import type { Authenticator } from "../http/authenticate.js";
import type { App } from "../kernel/app.js";
import { AppError } from "../kernel/app-error.js";
import { Gather } from "../kernel/gather.js";
import type { Principal } from "../kernel/permissions.js";
import { uuid } from "../kernel/uuid.js";
import { agentById } from "./agent.query.js";
import type { AgentRow } from "./agent.table.js";
import { UsedIds } from "./used-ids.js";

/** How far the agent's clock may be off. Seconds. */
const TOLERANCE = 300;

/** An agent that has proved who it is. */
export interface AgentPrincipal extends Principal {
  kind: "agent";
  /** The agent's clock minus this replica's when it connected. Milliseconds. */
  clockSkewMs: number;
}

export const isAgent = (principal: Principal): principal is AgentPrincipal => principal.kind === "agent";

const credentials = z.object({ id: uuid(), assertion: z.string().max(4000) });
const refuse = (why: string) => new AppError("UNAUTHENTICATED", why);

/**
 * `connectionParams.agent = { id, assertion }`: a JWT the agent signed with its own key. A thousand agents that come back
 * together are looked up together.
 */
export function agentAuthenticator(app: App): Authenticator {
  const used = new UsedIds(app.clock);
  const lookUp = new Gather<string, { agent: AgentRow | null }>(async (ids) => {
    const rows = await agentById(app.database.db, [...new Set(ids)]);
    const byId = new Map(rows.map((row) => [row?.id, row]));
    return ids.map((id) => ({ agent: byId.get(id) ?? null }));
  });
  return async ({ agent: given }) => {
    if (given === undefined) return null;
    const parsed = credentials.safeParse(given);
    if (!parsed.success) throw refuse("connectionParams.agent is not { id, assertion }");
    const { id, assertion } = parsed.data;
    const { agent } = await lookUp.add(id);
    if (!agent) throw refuse(`there is no agent ${id}; enrol this host again`);
    if (agent.revokedAt) throw refuse(`agent ${agent.name} was revoked; enrol this host again`);
    const now = app.clock.now();
    const claims = await verify(agent, assertion, now);
    if (!used.add(`${id}:${claims.jti}`, (claims.exp + TOLERANCE) * 1000))
      throw refuse("the assertion was used before; sign a new one for each connection");
    const clockSkewMs = claims.iat * 1000 - now;
    return { kind: "agent", id, name: agent.name, role: "AGENT", clockSkewMs } satisfies AgentPrincipal;
  };
}

interface Claims {
  iat: number;
  exp: number;
  jti: string;
}

async function verify(agent: AgentRow, assertion: string, nowMs: number): Promise<Claims> {
  const { iat, exp, jti } = await verifiedPayload(agent, assertion, nowMs);
  if (iat! * 1000 - nowMs > TOLERANCE * 1000) throw clockSkew(agent.name, iat!, nowMs);
  if (exp! - iat! > ASSERTION.seconds || exp! < iat!)
    throw refuse(`the assertion is valid for ${exp! - iat!} s; ${ASSERTION.seconds} s is the limit`);
  return { iat: iat!, exp: exp!, jti: jti! };
}

async function verifiedPayload(agent: AgentRow, assertion: string, nowMs: number): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(assertion, await importJWK(agent.publicKey, "EdDSA"), {
      algorithms: ["EdDSA"],
      audience: ASSERTION.audience,
      subject: agent.id,
      requiredClaims: ["iat", "exp", "jti"],
      clockTolerance: TOLERANCE,
      currentDate: new Date(nowMs),
    });
    return payload;
  } catch (error) {
    // The signature was good: only then is the time in it worth talking about.
    if (error instanceof errors.JWTExpired && typeof error.payload.iat === "number")
      throw clockSkew(agent.name, error.payload.iat, nowMs);
    if (error instanceof errors.JOSEError)
      throw refuse(`the assertion of ${agent.name} is not valid: ${error.message}`);
    throw error;
  }
}

/** Passing trouble: the agent may come back with the same key once its clock is right. */
function clockSkew(name: string, iat: number, nowMs: number): AppError {
  const skew = Math.round(iat - nowMs / 1000);
  const text = `clock of ${name} is ${Math.abs(skew)} s ${skew > 0 ? "ahead" : "behind"}, ${TOLERANCE} s is the limit: check NTP`;
  return new AppError("CLOCK_SKEW", text, { skewSeconds: skew });
}
