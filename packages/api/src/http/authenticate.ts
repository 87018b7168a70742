import type { Principal } from "../kernel/permissions.js";

/** What a caller sent to prove who it is: the HTTP header, or the WebSocket's `connectionParams`. */
export interface Credentials {
  authorization?: unknown;
  agent?: unknown;
}

/** Each room that knows a kind of identity offers one; null means "not my kind", an AppError means "refused". */
export type Authenticator = (credentials: Credentials) => Promise<Principal | null>;

export function bearerToken({ authorization }: Credentials): string | undefined {
  // Over WebSocket it is whatever JSON the client sent.
  return typeof authorization === "string" ? /^Bearer\s+(\S+)$/i.exec(authorization)?.[1] : undefined;
}
