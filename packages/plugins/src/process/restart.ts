import { stat } from "node:fs/promises";
import { defineRemediation, type Preview, type RemediationContext } from "../contract.js";
import { redact } from "../redact.js";
import { manifest, type RestartInput } from "./config.js";
import { pidFileRefusal, startDaemon } from "./daemon.js";
import { find } from "./find.js";
import { refusal } from "./guard.js";
import { commandLine, isZombie, type Process, programName } from "./proc.js";
import { stopProcesses } from "./stop.js";

export const restart = defineRemediation(manifest.remediations.restart, {
  async preview(input): Promise<Preview> {
    if (process.platform !== "linux") return { possible: false, reason: `${process.platform} has no /proc` };
    const { toStop, note, refusals } = await plan(input);
    const stops = toStop.map(
      (process) => `stop ${programName(process)} (pid ${process.pid}): ${commandLine(process)}; ${how(input)}`,
    );
    return { possible: true, actions: [...(note ? [note] : []), ...stops, startAction(input)], refusals };
  },

  async run(input, context) {
    const { toStop, refusals } = await plan(input);
    if (refusals.length > 0) throw new Error(`refused: ${refusals.join("; ")}`);
    context.signal.throwIfAborted();
    await stopProcesses(toStop, input, context);
    context.signal.throwIfAborted();
    return { summary: await start(input, context) };
  },
});

interface Plan {
  toStop: Process[];
  note?: string;
  refusals: string[];
}

async function plan(input: RestartInput): Promise<Plan> {
  const toWrite = pidFileToWrite(input);
  const checks = [await checkCwd(input.cwd), toWrite && (await pidFileRefusal(toWrite))];
  const refusals = checks.filter((reason) => reason !== undefined);
  if (input.pidFile === undefined && input.name === undefined && input.port === undefined)
    return { toStop: [], note: "stop nothing: the input names no running process", refusals };
  const found = await find(input);
  if (found.kind === "unreadable") return { toStop: [], refusals: [...refusals, found.reason] };
  if (found.kind === "absent") return { toStop: [], note: `stop nothing: ${found.reason}`, refusals };
  const toStop = found.processes.filter((process) => !isZombie(process));
  const guarded = await Promise.all(toStop.map(refusal));
  return { toStop, refusals: [...refusals, ...guarded.filter((reason) => reason !== undefined)] };
}

async function checkCwd(cwd: string | undefined): Promise<string | undefined> {
  if (cwd === undefined) return undefined;
  const isDirectory = await stat(cwd).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
  return isDirectory ? undefined : `cwd ${cwd} is not a directory`;
}

async function start(input: RestartInput, context: RemediationContext): Promise<string> {
  const { command, cwd, env, logFile, mode } = input;
  const text = redact(command.join(" "));
  if (mode === "command") {
    const { exitCode } = await context.exec(command, { cwd, env });
    if (exitCode !== 0) throw new Error(`${text} exited with ${exitCode}`);
    return `${text} exited with 0`;
  }
  const pidFile = pidFileToWrite(input);
  const { pid, ended } = await startDaemon(command, { cwd, env, logFile, pidFile, signal: context.signal });
  const summary = `started ${text} as pid ${pid}${ended ? `; it ${ended} at once` : ""}`;
  context.output(`${summary}\n`);
  return summary;
}

const pidFileToWrite = ({ mode, writePidFile, pidFile }: RestartInput): string | undefined =>
  mode === "daemon" && writePidFile ? pidFile : undefined;

const how = ({ stop, graceMs }: RestartInput): string =>
  `${stop ? redact(stop.join(" ")) : "TERM"}, KILL after ${graceMs / 1000} s`;

const startAction = ({ command, cwd, mode, logFile }: RestartInput): string =>
  `start ${mode === "daemon" ? "in its own session" : "and wait for the end of"}: ${redact(command.join(" "))}${
    cwd ? ` in ${cwd}` : ""
  }${logFile ? `, output to ${logFile}` : ""}`;
