/** One row about the server, readable by every role. */
export interface ServerState {
  version: string;
  in_recovery: boolean;
  /** Client connections. */
  used: number;
  /** Connections an ordinary role may open altogether. */
  available: number;
}

/**
 * Everybody may read `numbackends`, which counts parallel and autovacuum workers too; who may read everybody's
 * `backend_type` gets the exact number. `reserved_connections` exists since PostgreSQL 16.
 */
export const SERVER_STATE = `
  SELECT current_setting('server_version') AS version,
         pg_is_in_recovery() AS in_recovery,
         CASE WHEN pg_has_role(current_user, 'pg_read_all_stats', 'usage')
              THEN (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
              ELSE (SELECT sum(numbackends) FROM pg_stat_database)
         END::int AS used,
         current_setting('max_connections')::int
           - current_setting('superuser_reserved_connections')::int
           - coalesce(current_setting('reserved_connections', true)::int, 0) AS available`;
