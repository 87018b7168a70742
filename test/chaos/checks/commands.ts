import type { Host } from "../processes.js";
import type { World } from "../world.js";
import type { Check } from "./check.js";

/** Events that end a run, by the status they tell of. */
const ENDS: Record<string, string[]> = {
  SUCCEEDED: ["remediation.verified", "remediation.succeeded"],
  FAILED: ["remediation.failed"],
  DID_NOT_HELP: ["remediation.did_not_help"],
  REJECTED: ["remediation.rejected"],
  CANCELLED: ["remediation.cancelled"],
  TIMED_OUT: ["remediation.timed_out"],
  INTERRUPTED: ["remediation.interrupted"],
  LOST: ["remediation.lost"],
  EXPIRED: ["remediation.expired"],
};
const ALL_ENDS = Object.values(ENDS).flat();

/** Every run has exactly one end, and no command ran twice. */
export const commands: Check = async (world) => {
  const runs = await runsOf(world);
  const finished = runs.filter(({ finished }) => finished);
  const hosts = await Promise.all(world.hosts.map((host) => ofHost(host, world)));
  return {
    verified: `${runs.length} remediations, ${finished.length} ended, ${hosts.reduce((sum, { acts }) => sum + acts, 0)} acts`,
    violations: [
      ...world.complaints.splice(0),
      ...runs.flatMap(wrongEnd),
      ...hosts.flatMap(({ violations }) => violations),
    ],
  };
};

interface Run {
  id: string;
  status: string;
  finished: boolean;
  ends: string[];
}

const runsOf = ({ database }: World) =>
  database.query<Run>(
    `SELECT r.id, r.status, r.finished_at IS NOT NULL AS finished,
            array(SELECT e.type FROM events e WHERE e.payload->>'runId' = r.id::text AND e.type = ANY($1)) AS ends
     FROM remediation_runs r`,
    [ALL_ENDS],
  );

/** A refusal may be told of a run that goes on, so it is no end by itself. */
function wrongEnd({ id, status, finished, ends }: Run): string[] {
  const allowed = ENDS[status] ?? [];
  const expected = finished && status !== "REFUSED" ? 1 : 0;
  const isRight = ends.length === expected && ends.every((end) => allowed.includes(end));
  return isRight
    ? []
    : [`run ${id} is ${status}, and the log says that it ended ${ends.length} times: ${ends.join(", ")}`];
}

interface Command {
  id: string;
  end: string | null;
  target: string;
  token: number;
}

async function ofHost(host: Host, { database }: World): Promise<{ acts: number; violations: string[] }> {
  const issued = await database.query<Command>(
    `SELECT id, "end", payload::jsonb->>'target' AS target, fencing_token::int AS token
     FROM agent_commands WHERE agent_id = $1 AND kind = 'REMEDIATE'`,
    [host.agent.id],
  );
  const acts = await host.worker.acts();
  const begun = acts.filter(({ step }) => step === "begin").map(({ commandId }) => commandId);
  const restarts = [...host.engine.containers.values()];
  return {
    acts: begun.length + restarts.reduce((sum, one) => sum + one.restarts, 0),
    violations: [
      ...workerActs(host, issued, begun),
      ...acts
        .filter(({ step }) => step === "overlap")
        .map(({ commandId }) => `${host.name}: command ${commandId} acted while another act held the target`),
      ...restarts.flatMap((container) => containerActs(host.name, container, issued)),
    ],
  };
}

/** A worker writes down the command that started it. */
function workerActs({ name }: Host, issued: Command[], begun: string[]): string[] {
  const known = new Map(issued.map((command) => [command.id, command]));
  const succeeded = issued.filter(({ end, target }) => end === "SUCCEEDED" && target.startsWith("process/"));
  let highest = 0;
  return [
    ...begun.filter((id, i) => begun.indexOf(id) !== i).map((id) => `${name}: command ${id} ran twice`),
    ...begun.filter((id) => !known.has(id)).map((id) => `${name}: ${id} ran, and the server never commanded it`),
    ...begun
      .filter((id) => known.get(id)?.end === "REFUSED")
      .map((id) => `${name}: command ${id} ran, and it says it refused`),
    ...succeeded
      .filter(({ id }) => !begun.includes(id))
      .map(({ id }) => `${name}: command ${id} succeeded without having run`),
    ...begun.flatMap((id) => {
      const token = known.get(id)?.token ?? 0;
      const stale = token < highest;
      highest = Math.max(highest, token);
      return stale ? [`${name}: command ${id} with token ${token} acted after token ${highest}`] : [];
    }),
  ];
}

/** The engine does not know who asks, so it can only count. */
function containerActs(
  host: string,
  { name, restarts, overlaps }: { name: string; restarts: number; overlaps: number },
  issued: Command[],
): string[] {
  const commanded = issued.filter(({ target }) => target === `docker/${name}`);
  const succeeded = commanded.filter(({ end }) => end === "SUCCEEDED");
  return [
    ...(restarts > commanded.length
      ? [`${host}: ${name} was restarted ${restarts} times by ${commanded.length} commands`]
      : []),
    ...(restarts < succeeded.length
      ? [`${host}: ${name} was restarted ${restarts} times, ${succeeded.length} restarts succeeded`]
      : []),
    ...(overlaps > 0 ? [`${host}: ${name} was restarted ${overlaps} times while a restart was under way`] : []),
  ];
}
