import { type KeyObject, verify } from "node:crypto";
import type { CommandPayload } from "@poppo-ops/plugins/wire";
import { z } from "zod";

/** A command as it arrives: the exact text that was signed, and the signature. */
export interface SignedCommand {
  id: string;
  payload: string;
  signature: string;
}

const payloadSchema: z.ZodType<CommandPayload> = z.object({
  v: z.literal(1),
  id: z.string(),
  agentId: z.string(),
  kind: z.enum(["RUN_PROBE", "PREVIEW", "REMEDIATE", "CANCEL"]),
  fencingToken: z.number().int().nonnegative(),
  issuedAt: z.iso.datetime({ offset: true }),
  startBy: z.iso.datetime({ offset: true }),
  probeId: z.string().optional(),
  remediation: z.string().optional(),
  input: z.unknown().optional(),
  target: z.string().optional(),
  timeoutMs: z.number().positive().optional(),
  verify: z.object({ probeId: z.string(), everyMs: z.number().positive(), forMs: z.number().positive() }).optional(),
  cancels: z.string().optional(),
});

/** @returns the payload the server's pinned key has signed, or the reason why it is none */
export function openCommand({ id, payload, signature }: SignedCommand, serverKey: KeyObject): CommandPayload | string {
  const signed = verify(null, Buffer.from(payload, "utf8"), serverKey, Buffer.from(signature, "base64url"));
  if (!signed) return "signature: not signed by the server this agent enrolled with";
  const parsed = payloadSchema.safeParse(toJson(payload));
  if (!parsed.success) return `payload: ${z.prettifyError(parsed.error).replaceAll(/\s*\n\s*/g, " ")}`;
  if (parsed.data.id !== id) return `payload: signed for command ${parsed.data.id}, delivered as ${id}`;
  return parsed.data;
}

/** The fencing token a refused payload claims; only ever used to report the refusal. */
export function claimedToken({ payload }: SignedCommand): number {
  const token = (toJson(payload) as { fencingToken?: unknown } | undefined)?.fencingToken;
  return Number.isSafeInteger(token) ? Number(token) : 0;
}

function toJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
