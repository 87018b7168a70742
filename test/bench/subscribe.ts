import { CountingSocket } from "./counting-socket.js";

export interface Subscription {
  url: string;
  token?: string;
  /** Absent: a bare socket, to which the server sends without being asked. */
  payload?: { query: string; variables?: object };
}

/** Opens a socket and subscribes on it (graphql-transport-ws). `onMessage` hears what comes after the greeting. */
export async function subscribe(
  { url, token, payload }: Subscription,
  onMessage: (bytes: number, text: string) => void,
  options: { keepBytes?: number; onClose?: () => void } = {},
): Promise<CountingSocket> {
  const { keepBytes = 0, onClose } = options;
  if (!payload) return CountingSocket.open({ url: new URL("/", url), keepBytes, onMessage, onClose });
  let greet = () => {};
  const greeted = new Promise<void>((resolve) => {
    greet = resolve;
  });
  let hear = (_bytes: number, _text: string) => greet();
  const socket = await CountingSocket.open({
    url: new URL("/graphql", url),
    protocol: "graphql-transport-ws",
    keepBytes,
    onMessage: (bytes, text) => hear(bytes, text),
    // Whoever waits for the greeting of a connection that is gone waits no longer.
    onClose: () => {
      greet();
      onClose?.();
    },
  });
  socket.send(JSON.stringify({ type: "connection_init", payload: token ? { authorization: `Bearer ${token}` } : {} }));
  await greeted;
  hear = onMessage;
  socket.send(JSON.stringify({ id: "1", type: "subscribe", payload }));
  return socket;
}
