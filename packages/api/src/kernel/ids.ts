import { createHash, randomBytes, randomUUID } from "node:crypto";

/** The only door to chance. */
export const newId = (): string => randomUUID();

export type TokenKind = "api" | "enrol" | "hook";

/** A secret for a person or a program: `poppo_<kind>_<32 random bytes>`, fit for a URL. Only its hash is stored. */
export const newToken = (kind: TokenKind): string => `poppo_${kind}_${randomBytes(32).toString("base64url")}`;

/** SHA-256 as hex. The token has 256 bits of entropy, so a slow password hash would protect nothing. */
export const hashToken = (token: string): string => createHash("sha256").update(token).digest("hex");

/** What may be shown to tell tokens apart: six of the 43 random characters, among which `_` may be. */
export const tokenPrefix = (token: string): string => /^poppo_[a-z]+_.{6}/.exec(token)?.[0] ?? token.slice(0, 4);
