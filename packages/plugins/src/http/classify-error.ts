import { crit, type Outcome, unknown } from "../contract.js";

/** What every client of the target would run into: the service is down for them too. */
const DOWN: Record<string, string> = {
  ECONNREFUSED: "connection refused: nothing listens there",
  ECONNRESET: "the connection was reset before the answer was complete",
  EPIPE: "the connection was closed while the request was sent",
  EHOSTUNREACH: "the host cannot be reached",
  ENOTFOUND: "the name does not exist in DNS",
  ENOENT: "the name does not exist in DNS",
  CERT_HAS_EXPIRED: "the certificate has expired",
  CERT_NOT_YET_VALID: "the certificate is not valid yet",
  ERR_TLS_CERT_ALTNAME_INVALID: "the certificate is for another name",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the certificate is self-signed; trust it with tls.ca or set tls.insecure",
  SELF_SIGNED_CERT_IN_CHAIN: "the certificate's authority is not trusted; add it with tls.ca or set tls.insecure",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "the certificate's authority is not known; add it with tls.ca or set tls.insecure",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the server does not send its whole certificate chain",
  CERT_REVOKED: "the certificate was revoked",
};

/** What says nothing about the target: our own resolver, network or patience, or a program that is not an HTTP server. */
const CANNOT_TELL: Record<string, string> = {
  EAI_AGAIN: "DNS did not answer; the target may be well",
  ENETUNREACH: "this host has no route to that network",
  ENETDOWN: "this host's network is down",
  EADDRNOTAVAIL: "this host has no address or port left to connect from",
  ETIMEDOUT: "no answer to the connection attempt",
  EPROTO: "the port answers, but does not speak TLS",
  ERR_SSL_WRONG_VERSION_NUMBER: "the port answers, but does not speak TLS",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "the port answers, but does not speak TLS",
};

/** The outcome a failed request stands for; undefined when the failure is the probe's own. */
export function classifyError(error: unknown, target: string): Outcome | undefined {
  const codes = errorCodes(error);
  const down = codes.find((code) => code in DOWN);
  if (down) return crit(`${target}: ${DOWN[down]} (${down})`);
  const unclear = codes.find((code) => code in CANNOT_TELL);
  if (unclear) return unknown(`${target}: ${CANNOT_TELL[unclear]} (${unclear})`);
  const parser = codes.find((code) => code.startsWith("HPE_"));
  return parser ? unknown(`${target}: the port answers, but not with valid HTTP (${parser})`) : undefined;
}

/** A name with several addresses fails with one error per address. */
function errorCodes(error: unknown): string[] {
  const all = error instanceof AggregateError ? [...error.errors, error] : [error];
  return all.flatMap(({ code }) => (typeof code === "string" ? [code] : []));
}
