/**
 * The WebSocket class for graphql-ws: the platform's own (browsers, Node 22), else the `ws` package, loaded only then.
 * graphql-ws wants the class when the client is made, but constructs it only after `load` has resolved, because it awaits its `url`.
 */
export function lazyWebSocket(given?: unknown): { load(): Promise<void>; webSocketImpl: unknown } {
  let Loaded = (given ?? globalThis.WebSocket) as typeof WebSocket | undefined;
  class LazyWebSocket {
    static readonly CONNECTING = 0;
    static readonly OPEN = 1;
    static readonly CLOSING = 2;
    static readonly CLOSED = 3;
    constructor(url: string, protocols: string) {
      // biome-ignore lint/correctness/noConstructorReturn: a class that stands for another until that is loaded
      return new Loaded!(url, protocols) as unknown as LazyWebSocket;
    }
  }
  return {
    async load() {
      Loaded ??= await loadWs();
    },
    webSocketImpl: LazyWebSocket,
  };
}

async function loadWs(): Promise<typeof WebSocket> {
  const { WebSocket: NodeWebSocket } = await import("ws");
  class QuietWebSocket extends NodeWebSocket {
    constructor(url: string, protocols: string) {
      super(url, protocols, { perMessageDeflate: false });
      // graphql-ws drops its own listener when it terminates; a later "error" without any would end the process.
      this.on("error", () => {});
    }
  }
  return QuietWebSocket as unknown as typeof WebSocket;
}
