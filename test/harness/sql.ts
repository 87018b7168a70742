import pg from "pg";

export interface Sql extends AsyncDisposable {
  query<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>;
}

/** A connection of one's own to a server's database, for what no part of the API is meant to do. */
export async function openSql(databaseUrl: string): Promise<Sql> {
  const client = new pg.Client(databaseUrl);
  await client.connect();
  return {
    query: async (text, values) => (await client.query(text, values)).rows,
    [Symbol.asyncDispose]: () => client.end(),
  };
}
