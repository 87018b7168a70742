/** PostgreSQL settings of an operations store: nothing acknowledged is lost, and small hot tables stay small. */
const SETTINGS = {
  fsync: "on",
  synchronous_commit: "on",
  full_page_writes: "on",
  wal_compression: "on",
  max_wal_size: "2GB",
  min_wal_size: "128MB",
  checkpoint_timeout: "15min",
  shared_buffers: "128MB",
  effective_cache_size: "1GB",
  random_page_cost: "1.1",
  jit: "off",
  max_connections: "60",
  // Results are partitioned by hour, and a query may lock every partition.
  max_locks_per_transaction: "256",
  // Timers, leases and probe states are updated in place, over and over.
  autovacuum_naptime: "10s",
  autovacuum_vacuum_scale_factor: "0.02",
  autovacuum_analyze_scale_factor: "0.05",
  autovacuum_vacuum_cost_limit: "2000",
  log_min_messages: "warning",
  log_checkpoints: "off",
  log_line_prefix: "[%p] ",
  log_timezone: "UTC",
  timezone: "UTC",
};

/** Command-line arguments for `postgres`; `overrides` win, except over where it listens. */
export function settingArguments(sockets: string, overrides: Record<string, string> = {}): string[] {
  // A list, in which a comma separates unless it is quoted.
  const listen = {
    listen_addresses: "",
    port: "5432",
    unix_socket_directories: `"${sockets.replaceAll('"', '""')}"`,
    unix_socket_permissions: "0700",
  };
  const settings = { ...SETTINGS, ...overrides, ...listen, log_destination: "stderr", logging_collector: "off" };
  return Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}
