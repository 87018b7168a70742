import { createPrivateKey, createPublicKey, generateKeyPairSync, type JsonWebKey, type KeyObject } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ASSERTION } from "@poppo-ops/plugins/wire";
import { SignJWT } from "jose";
import { z } from "zod";
import { writeAtomically } from "../files/write-atomically.js";

const jwk = z.custom<JsonWebKey>((value) => typeof value === "object" && value !== null, "must be a JWK");
const identitySchema = z.object({
  v: z.literal(1),
  privateKey: jwk,
  /** Absent until the server has enrolled this key. */
  enrolled: z.object({ agentId: z.uuid(), serverKey: jwk }).optional(),
});
type IdentityFile = z.infer<typeof identitySchema>;

/** Who this agent is. The private key was made here and never leaves this host. */
export interface Identity {
  agentId: string;
  /** Verifies the commands of the one server this agent enrolled with. */
  serverKey: KeyObject;
  /** A fresh JWT that proves the identity for the next `ASSERTION.seconds`. */
  assertion(nowMs: number, id: string): Promise<string>;
}

/** What is sent to be enrolled; the same key again after a crash, so that the server can recognise the retry. */
export interface Candidate {
  publicKey: JsonWebKey;
  /** Stores what the server answered. */
  accept(enrolled: { agentId: string; serverKey: unknown }): Identity;
}

const identityPath = (dataDir: string) => join(dataDir, "identity.json");

/** @throws when the file is there but damaged: a new identity would silently be another agent */
export function loadIdentity(dataDir: string): Identity | undefined {
  const file = readIdentity(dataDir);
  return file && enrolledIdentity(file);
}

/** The key pair to enrol; made and stored before the server hears of it. */
export function prepareIdentity(dataDir: string): Candidate {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const file = readIdentity(dataDir) ?? newIdentity();
  const save = () => writeAtomically(identityPath(dataDir), JSON.stringify(file));
  save();
  return {
    publicKey: createPublicKey(privateKeyOf(file)).export({ format: "jwk" }),
    accept(enrolled) {
      file.enrolled = identitySchema.shape.enrolled.unwrap().parse(enrolled);
      const identity = enrolledIdentity(file);
      if (!identity) throw new Error("unreachable: the identity was enrolled in the line above");
      save();
      return identity;
    },
  };
}

function newIdentity(): IdentityFile {
  return { v: 1, privateKey: generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" }) };
}

function readIdentity(dataDir: string): IdentityFile | undefined {
  const path = identityPath(dataDir);
  if (!existsSync(path)) return undefined;
  try {
    return identitySchema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (cause) {
    throw new Error(`${path} is damaged; restore it, or delete it and enrol again with a new token`, { cause });
  }
}

const privateKeyOf = (file: IdentityFile): KeyObject => createPrivateKey({ key: file.privateKey, format: "jwk" });

function enrolledIdentity(file: IdentityFile): Identity | undefined {
  if (!file.enrolled) return undefined;
  const { agentId, serverKey } = file.enrolled;
  const privateKey = privateKeyOf(file);
  return {
    agentId,
    serverKey: createPublicKey({ key: serverKey, format: "jwk" }),
    assertion(nowMs, id) {
      const now = Math.floor(nowMs / 1000);
      return new SignJWT()
        .setProtectedHeader({ alg: "EdDSA" })
        .setSubject(agentId)
        .setAudience(ASSERTION.audience)
        .setIssuedAt(now)
        .setExpirationTime(now + ASSERTION.seconds)
        .setJti(id)
        .sign(privateKey);
    },
  };
}
