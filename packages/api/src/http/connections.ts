import type { Connection } from "../graphql/context.js";

/** The WebSocket connections of this replica. */
export class Connections {
  private readonly open = new Map<string, Connection>();

  get size(): number {
    return this.open.size;
  }

  add(connection: Connection): void {
    this.open.set(connection.id, connection);
    connection.closed.addEventListener("abort", () => this.open.delete(connection.id), { once: true });
  }

  *[Symbol.iterator](): Iterator<Connection> {
    yield* this.open.values();
  }

  close(principalIds: ReadonlySet<string>, code: number, reason: string): void {
    for (const { principal, close } of this) if (principalIds.has(principal.id)) close(code, reason);
  }
}
