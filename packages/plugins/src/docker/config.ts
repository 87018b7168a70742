import { z } from "zod";
import { defineManifest } from "../contract.js";
import { ladder, rising } from "../ladder.js";

const socketPath = z
  .string()
  .startsWith("/")
  .default("/var/run/docker.sock")
  .describe("The engine's Unix socket. DOCKER_HOST is not read.");

const containers = z.strictObject({
  socketPath,
  names: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe("Container names; globs are allowed. A name without a glob must exist and run, else CRIT."),
  labels: z
    .record(z.string(), z.string())
    .default({})
    .describe("Only containers that carry all these labels; an empty value asks for the label alone."),
  service: z
    .string()
    .min(1)
    .optional()
    .describe("Only containers of this compose service (label com.docker.compose.service); none at all is CRIT."),
  restartLoop: z
    .strictObject({
      restarts: z
        .number()
        .int()
        .min(1)
        .default(2)
        .describe("CRIT when it restarted more often than this within windowMs."),
      windowMs: z
        .number()
        .int()
        .min(10_000)
        .default(300_000)
        .describe("How far back restarts and OOM kills are counted, in ms."),
    })
    .prefault({})
    .describe("What counts as a restart loop. A restart by docker.restart is not counted and ends the count."),
  memoryPercent: z
    .strictObject(ladder(85, 95, "the working set, in % of the memory limit (of the host's memory without one),"))
    .superRefine(rising)
    .prefault({})
    .describe("Limits for memory."),
  cpuPercent: z
    .strictObject(ladder(80, 90, "CPU use, in % of the CPU limit (of the cores it may use without one),"))
    .superRefine(rising)
    .prefault({})
    .describe("Limits for CPU."),
  stats: z.boolean().default(true).describe("Measure CPU, memory, network and pids of running containers."),
  logLines: z.number().int().min(0).max(200).default(20).describe("Last log lines kept as evidence of a failure."),
});

const container = z
  .string()
  .regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/, "must be a container name or id: letters, digits, _ . -")
  .max(200)
  .describe("Name or id of the container.");

const timeoutSeconds = z
  .number()
  .int()
  .min(0)
  .max(240, "at most 240: the whole act has 300 s, and the engine needs some of them to kill and to start")
  .default(10)
  .describe("How long it may take to stop after TERM before it is killed, in seconds.");

const graceful = z.strictObject({ container, timeoutSeconds, socketPath });
const startInput = z.strictObject({ container, socketPath });

const target = (input: { container: string }): string => `docker/${input.container}`;
const verify = { probe: "docker.containers", withinMs: 60_000 };

export type ContainersConfig = z.output<typeof containers>;

export const manifest = defineManifest({
  name: "docker",
  version: "1.0.0",
  description: "Docker containers: state, health, restart loops, use against limits; restart, stop, start.",
  probes: {
    containers: {
      title: "Docker containers",
      description: "State, health, restart loop and resource use of every matching container; one item per container.",
      config: containers,
      intervalMs: 10_000,
      timeoutMs: 8_000,
    },
  },
  remediations: {
    restart: {
      title: "Restart a container",
      description: "Stops the container within the grace period and starts it again.",
      input: graceful,
      risk: "R2",
      idempotent: true,
      reversible: "Nothing to undo: the same container runs again.",
      timeoutMs: 300_000,
      verify,
      target,
    },
    stop: {
      title: "Stop a container",
      description: "Stops a container that harms its neighbours. The probe then reports it as stopped on purpose.",
      input: graceful,
      risk: "R2",
      idempotent: true,
      reversible: true,
      timeoutMs: 300_000,
      verify,
      target,
    },
    start: {
      title: "Start a container",
      description: "Starts a container that is not running.",
      input: startInput,
      risk: "R1",
      idempotent: true,
      reversible: true,
      timeoutMs: 60_000,
      verify,
      target,
    },
  },
});
