const AT = "2026-01-01T00:00:00.000Z";
export const id = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;

/** A whole connection of these nodes. */
export const connection = (nodes: unknown[], { totalCount = nodes.length, hasNextPage = false } = {}) => ({
  nodes,
  totalCount,
  pageInfo: { hasNextPage, endCursor: nodes.length > 0 ? "end" : null },
});

export const incident = (number: number, over: Record<string, unknown> = {}) => ({
  id: id(number),
  number,
  title: `incident ${number}`,
  description: "",
  status: "TRIGGERED",
  severity: "P1",
  peakSeverity: "P1",
  category: "DISK",
  source: "probe",
  duplicateCount: 2,
  firstSeenAt: AT,
  lastSeenAt: AT,
  createdAt: AT,
  updatedAt: AT,
  evidence: { exitCode: 137, log: ["out of memory", "killed"] },
  service: { id: id(900), name: "shop" },
  timeline: () => ({ events: [], cursor: "c", caughtUp: true }),
  remediationRuns: () => connection([]),
  ...over,
});

export const agent = (over: Record<string, unknown> = {}) => ({
  id: id(500),
  name: "web-1",
  status: "ONLINE",
  labels: { role: "web" },
  facts: {},
  version: "0.1.0",
  enrolledAt: AT,
  lastSeenAt: AT,
  ...over,
});

export const probe = (over: Record<string, unknown> = {}) => ({
  id: id(600),
  name: "disks",
  kind: "system.disk",
  config: {},
  agentSelector: {},
  interval: "60s",
  retryInterval: "10s",
  timeout: "10s",
  enabled: true,
  severity: "P1",
  category: "DISK",
  rules: {},
  version: 1,
  createdAt: AT,
  updatedAt: AT,
  ...over,
});

export const probeState = (over: Record<string, unknown> = {}) => ({
  agent: agent(),
  probe: probe(),
  item: "/",
  status: "CRIT",
  hardStatus: "CRIT",
  attempt: 3,
  flapping: false,
  reporting: true,
  since: AT,
  lastAt: AT,
  summary: "/ is 97% full",
  metrics: [],
  ...over,
});

export const run = (over: Record<string, unknown> = {}) => ({
  id: id(700),
  kind: "docker.restart",
  target: "docker/web",
  input: { container: "web" },
  risk: "R2",
  status: "AWAITING_APPROVAL",
  automatic: false,
  agent: agent(),
  item: "web",
  requestedBy: "ana",
  requestedAt: AT,
  ...over,
});

export const service = (name: string) => ({
  id: id(900),
  name,
  description: "",
  owner: "ana",
  labels: {},
  dependsOn: [],
  createdAt: AT,
  updatedAt: AT,
});
