import pg from "pg";
import { SUPERUSER } from "./cluster.js";

/** What a server connects with. */
export interface Connection {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
}

const NAME = "poppo_ops";

/** The database and the role the server uses. No superuser: on PostgreSQL, that is a shell of the account it runs as. */
export async function provideApplicationDatabase(sockets: string, password: string): Promise<Connection> {
  const own = { host: sockets, port: 5432, user: NAME, password, database: NAME };
  const client = new pg.Client({ ...own, user: SUPERUSER, database: "postgres" });
  await client.connect();
  try {
    const { rows } = await client.query(
      "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1) AS role, EXISTS (SELECT FROM pg_database WHERE datname = $1) AS database",
      [NAME],
    );
    const secret = client.escapeLiteral(password);
    if (!rows[0].role) await client.query(`CREATE ROLE ${NAME} LOGIN CREATEDB PASSWORD ${secret} IN ROLE pg_monitor`);
    if (!rows[0].database) await client.query(`CREATE DATABASE ${NAME} OWNER ${NAME}`);
  } finally {
    await client.end();
  }
  return own;
}

/** A `postgres:` URL that node-postgres and libpq read alike. */
export function connectionUrl({ host, port, user, password, database }: Connection): string {
  return `postgres://${user}:${password}@localhost:${port}/${database}?host=${encodeURIComponent(host)}`;
}
