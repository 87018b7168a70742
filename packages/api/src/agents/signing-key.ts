import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  sign,
} from "node:crypto";
import type { App } from "../kernel/app.js";

/** The installation's key: agents obey only what it has signed. */
export interface SigningKey {
  /** The public half, which agents pin when they enrol. */
  publicJwk: JsonWebKey;
  /** Ed25519 over the exact text, base64url. */
  sign(text: string): string;
}

const keys = new WeakMap<App, Promise<SigningKey>>();

/** The key of this installation; made at the first start, the same for all replicas. */
export function signingKey(app: App): Promise<SigningKey> {
  const known = keys.get(app);
  if (known) return known;
  const loading = load(app);
  keys.set(app, loading);
  loading.catch(() => keys.delete(app));
  return loading;
}

async function load({ database }: App): Promise<SigningKey> {
  const candidate = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  // Replicas that start together each bring a candidate; the row keeps the first.
  const { rows } = await database.pool.query<{ signing_key: JsonWebKey }>(
    "UPDATE installation SET signing_key = coalesce(signing_key, $1) RETURNING signing_key",
    [JSON.stringify(candidate)],
  );
  return signerOf(createPrivateKey({ key: rows[0]!.signing_key, format: "jwk" }));
}

const signerOf = (privateKey: KeyObject): SigningKey => ({
  publicJwk: createPublicKey(privateKey).export({ format: "jwk" }),
  sign: (text) => sign(null, Buffer.from(text), privateKey).toString("base64url"),
});
