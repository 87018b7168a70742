import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface TcpProxy extends AsyncDisposable {
  /** The same database by way of the proxy. */
  url: string;
  /** The database is gone: what is open breaks, what comes is refused. */
  cut(): void;
  /** It is back. */
  restore(): void;
}

/** A way to a database that a test can take away. */
export async function tcpProxy(databaseUrl: string): Promise<TcpProxy> {
  const target = new URL(databaseUrl);
  const folder = target.searchParams.get("host");
  const port = Number(target.port || 5432);
  const pairs = new Set<[Socket, Socket]>();
  let open = true;
  const server = createServer((near) => {
    if (!open) return near.destroy();
    const far = folder?.startsWith("/")
      ? connect({ path: `${folder}/.s.PGSQL.${port}` })
      : connect(port, folder ?? target.hostname);
    const pair: [Socket, Socket] = [near, far];
    pairs.add(pair);
    near.pipe(far).pipe(near);
    for (const socket of pair) {
      socket.on("error", () => {});
      socket.once("close", () => {
        pairs.delete(pair);
        for (const end of pair) end.destroy();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = new URL(databaseUrl);
  url.searchParams.delete("host");
  url.hostname = "127.0.0.1";
  url.port = String((server.address() as AddressInfo).port);
  const breakAll = () => {
    for (const [near, far] of pairs) {
      near.destroy();
      far.destroy();
    }
  };
  return {
    url: url.href,
    cut() {
      open = false;
      breakAll();
    },
    restore() {
      open = true;
    },
    async [Symbol.asyncDispose]() {
      breakAll();
      server.close();
      await once(server, "close");
    },
  };
}
