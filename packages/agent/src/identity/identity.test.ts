import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { jwtVerify } from "jose";
import { expect, test } from "vitest";
import { systemClock } from "../clock.js";
import { newId } from "../ids.js";
import { temporaryFolder } from "../testing/temporary-folder.js";
import { loadIdentity, prepareIdentity } from "./identity.js";

const serverKey = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" });

test("an enrolled identity is found again, and its assertions verify with the public key for a minute", async () => {
  using folder = temporaryFolder();
  const candidate = prepareIdentity(folder.path);
  const agentId = newId();
  candidate.accept({ agentId, serverKey });
  const identity = loadIdentity(folder.path);
  const jwt = await identity?.assertion(systemClock.now(), "j1");
  const key = createPublicKey({ key: candidate.publicKey, format: "jwk" });
  const { payload } = await jwtVerify(jwt ?? "", key, { audience: "poppo-ops", subject: agentId });
  expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(60);
  expect(payload.jti).toBe("j1");
});

test("the private key is readable by its owner alone and the same key is offered after a crash before the answer", () => {
  using folder = temporaryFolder();
  const first = prepareIdentity(folder.path);
  expect(statSync(join(folder.path, "identity.json")).mode & 0o777).toBe(0o600);
  expect(loadIdentity(folder.path)).toBeUndefined();
  expect(prepareIdentity(folder.path).publicKey).toEqual(first.publicKey);
});

test("a damaged identity is refused instead of replaced", () => {
  using folder = temporaryFolder();
  writeFileSync(join(folder.path, "identity.json"), "{");
  expect(() => loadIdentity(folder.path)).toThrow(/identity\.json is damaged; restore it, or delete it/);
});
