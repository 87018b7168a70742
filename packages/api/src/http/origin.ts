import type { IncomingMessage } from "node:http";

/**
 * Browsers send Origin with every WebSocket upgrade and do not apply the same-origin rule to it, so we do. Programs send
 * none. Pages of another host would have to be proxied under ours.
 */
export function originIsAllowed({ headers }: IncomingMessage): boolean {
  if (!headers.origin) return true;
  try {
    const origin = new URL(headers.origin);
    const host = new URL(`http://${headers.host}`);
    return origin.hostname === host.hostname;
  } catch {
    return false;
  }
}
