import type { FakeContainer } from "../../harness/fake-engine.js";
import type { Host } from "../processes.js";
import type { Isolation, World } from "../world.js";
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
  REFUSED: ["remediation.refused"],
};
const ALL_ENDS = Object.values(ENDS).flat();

/** Of these a command has an end also when its agent never began it. */
const ENDED_UNSTARTED = ["REMEDIATE"];

/**
 * What has ended has exactly one end, nothing ran twice, and nothing that was called off has acted. That everything ends is
 * what `calm` waits for: by the time this looks, somebody may have asked for the next repair.
 */
export const commands: Check = async (world) => {
  const runs = await runsOf(world);
  const finished = runs.filter(({ finished }) => finished);
  const hosts = await Promise.all(world.hosts.map((host) => ofHost(host, world)));
  return {
    verified: `${runs.length} remediations, ${finished.length} ended, ${hosts.reduce((sum, { acts }) => sum + acts, 0)} acts, ${world.isolations.length} leases ran out`,
    violations: [
      ...world.complaints.splice(0),
      ...runs.flatMap(wrongEnd),
      ...hosts.flatMap(({ violations }) => violations),
      ...(await Promise.all(world.isolations.map((isolation) => leaseIgnored(isolation, world)))).flat(),
    ],
  };
};

/** The server gives the target of a silent agent to the next one: what it had begun may not go on, and never end. */
async function leaseIgnored({ host, commandId, wentOn }: Isolation, { hosts }: World): Promise<string[]> {
  const acts = await hosts.find(({ name }) => name === host)!.worker.acts();
  const ended = acts.some((act) => act.step === "end" && act.commandId === commandId);
  return wentOn || ended ? [`${host}: command ${commandId} went on after its lease had run out`] : [];
}

/** What is still to end, or to be told, when nothing new breaks. The person on call goes on repairing what is down. */
export async function openWork(world: World): Promise<string[]> {
  const runs = await world.database.query<{ id: string; status: string }>(
    `SELECT r.id, r.status FROM remediation_runs r LEFT JOIN agent_commands c ON c.id = r.command_id
     WHERE r.finished_at IS NULL OR (r.status IN ('LOST', 'EXPIRED') AND r.late_report_at IS NULL
       AND c.started_at IS NOT NULL AND c.ended_at IS NOT NULL)
     ORDER BY r.id`,
  );
  const broken = await world.database.query<{ title: string }>(
    `SELECT i.title FROM incidents i JOIN probe_state s ON s.incident_id = i.id
     WHERE s.probe_id = ANY($1) AND i.status <> 'RESOLVED' ORDER BY 1`,
    [[...world.probes.worker.values()]],
  );
  return [
    ...runs.map(({ id, status }) => `run ${id} was ${status}`),
    ...broken.map(({ title }) => `"${title}" was open`),
    ...(await openCommands(world)),
  ];
}

/** A run that expired says so for its command, too. */
async function openCommands({ database }: World): Promise<string[]> {
  const rows = await database.query<{ id: string; kind: string; agent: string; started: boolean }>(
    `SELECT c.id, c.kind, a.name AS agent, c.started_at IS NOT NULL AS started
     FROM agent_commands c JOIN agents a ON a.id = c.agent_id LEFT JOIN remediation_runs r ON r.command_id = c.id
     WHERE c.ended_at IS NULL AND (c.started_at IS NOT NULL OR c.kind = ANY($1) AND r.status IS DISTINCT FROM 'EXPIRED')
     ORDER BY c.id`,
    [ENDED_UNSTARTED],
  );
  return rows.map(
    ({ id, kind, agent, started }) => `${agent}: ${kind} ${id} has ${started ? "started" : "not started"} and no end`,
  );
}

interface Run {
  id: string;
  status: string;
  finished: boolean;
  ends: string[];
}

/** A refusal is an end when it has no hint when to try again. */
const runsOf = ({ database }: World) =>
  database.query<Run>(
    `SELECT r.id, r.status, r.finished_at IS NOT NULL AS finished,
            array(SELECT e.type FROM events e WHERE e.payload->>'runId' = r.id::text AND e.type = ANY($1)
              AND NOT (e.type = 'remediation.refused' AND e.payload ? 'retryAt')) AS ends
     FROM remediation_runs r`,
    [ALL_ENDS],
  );

function wrongEnd({ id, status, finished, ends }: Run): string[] {
  const isRight = finished ? ends.length === 1 && ENDS[status]?.includes(ends[0]!) : ends.length === 0;
  return isRight
    ? []
    : [`run ${id} is ${status}, and the log says that it ended ${ends.length} times: ${ends.join(", ")}`];
}

interface Command {
  id: string;
  end: string | null;
  target: string;
  token: number;
  /** Its run ended without it: nothing may have been done. */
  calledOff: string | null;
}

async function ofHost(host: Host, { database }: World): Promise<{ acts: number; violations: string[] }> {
  const issued = await database.query<Command>(
    // An agent that was away may have begun what expired; then its word has to stand in the log.
    `SELECT c.id, c."end", c.payload::jsonb->>'target' AS target, c.fencing_token::int AS token,
       CASE WHEN r.status = 'REFUSED' OR r.status = 'CANCELLED' AND c.started_at IS NULL
         OR r.status = 'EXPIRED' AND (c."end" IS NULL OR c."end" = 'REFUSED' OR r.late_report_at IS NULL)
       THEN r.status END AS "calledOff"
     FROM agent_commands c JOIN remediation_runs r ON r.command_id = c.id WHERE c.agent_id = $1 AND c.kind = 'REMEDIATE'`,
    [host.agent.id],
  );
  const acts = await host.worker.acts();
  const begun = acts.filter(({ step }) => step === "begin").map(({ commandId }) => commandId);
  const restarts = [...host.engine.containers.values()];
  return {
    acts: begun.length + restarts.reduce((sum, one) => sum + one.acts.length, 0),
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
    ...begun.flatMap((id) => {
      const status = known.get(id)?.calledOff;
      return status ? [`${name}: command ${id} ran, and its run is ${status}`] : [];
    }),
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
function containerActs(host: string, { name, acts, overlaps }: FakeContainer, issued: Command[]): string[] {
  const restarts = acts.length;
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
