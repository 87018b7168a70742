/** What NATS_URL says, as the library wants it: it ignores credentials and `tls://` inside a URL. */
export interface NatsServers {
  servers: string[];
  user?: string;
  pass?: string;
  token?: string;
  /** Present: every server must encrypt. */
  tls?: object;
}

/** `nats://` or `tls://` URLs, separated by commas, with `user:password@` or `token@` in any of them. */
export function natsServers(text: string): NatsServers {
  const urls = text.split(",").map((url) => new URL(url.trim()));
  const { username = "", password = "" } = urls.find((url) => url.username) ?? {};
  const [user, pass] = [username, password].map(decodeURIComponent);
  return {
    servers: urls.map(({ host }) => host),
    ...(user && (pass ? { user, pass } : { token: user })),
    ...(urls.some(({ protocol }) => protocol === "tls:") && { tls: {} }),
  };
}

/** Whether every part of NATS_URL is one the bus can use. */
export const areNatsServers = (text: string): boolean =>
  text.split(",").every((url) => /^(nats|tls):\/\/[^/]/.test(url.trim()) && URL.canParse(url.trim()));
