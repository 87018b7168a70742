import { and, eq, isNull, sql } from "drizzle-orm";
import { z } from "zod";
import { violatedConstraint } from "../db/database.js";
import { AppError } from "../kernel/app-error.js";
import { type Act, command } from "../kernel/command.js";
import { duration } from "../kernel/durations.js";
import { uuid } from "../kernel/uuid.js";
import { CATEGORIES, SEVERITIES } from "../kernel/vocabulary.js";
import { resolveOver } from "../signals/over-incidents.js";
import { agents } from "./agent.table.js";
import { incidentsBehind } from "./incidents-behind.js";
import { issueCommand } from "./issue-command.js";
import { type ProbeRow, probes } from "./probe.table.js";
import { selects } from "./probe-catalogue.js";
import {
  checkConfig,
  checkRemediation,
  checkTiming,
  defaultRetryMs,
  manifestOf,
  mergeRules,
} from "./probe-settings.js";

const DAY = 86_400_000;
const object = z.record(z.string(), z.unknown());
const name = z.string().trim().min(1).max(100).describe("Unique. Up to 100 characters.");
const fields = {
  config: object.optional().describe("What to look at; the plugin's `configSchema` describes it."),
  agentSelector: z
    .record(z.string().max(100), z.string().max(200))
    .optional()
    .describe(
      "Labels an agent must carry to run it; {} means every agent. The agent's name counts as the label `name`.",
    ),
  interval: duration(1000, DAY).optional().describe("From one run to the next; what the plugin suggests when absent."),
  retryInterval: duration(500, DAY).optional().describe("The same while a problem is not believed yet."),
  timeout: duration(100, 3_600_000).optional().describe("A run that takes longer is given up."),
  severity: z.enum(SEVERITIES).optional().describe("Of the incidents it raises."),
  category: z.enum(CATEGORIES).optional().describe("Of the incidents it raises."),
  rules: object.optional().describe("When outcomes become an incident; what is not named keeps its value."),
};
const remediation = z.object({ kind: z.string().max(100), input: object.default({}) });
const remediationText =
  "{kind, input}: what `requestRemediation` or an automatic policy runs when the probe fails; the text {item} in input is the failing item.";

export const createProbe = command({
  permission: "probe:write",
  input: z.object({
    name,
    kind: z.string().max(100).describe("`<plugin>.<probe>`."),
    ...fields,
    serviceId: uuid().optional().describe("The service it watches."),
    remediation: remediation.optional().describe(remediationText),
  }),
  async run(act, given) {
    const manifest = manifestOf(given.kind);
    const intervalMs = given.interval ?? manifest.intervalMs;
    const timing = {
      intervalMs,
      retryIntervalMs: given.retryInterval ?? defaultRetryMs(intervalMs),
      timeoutMs: given.timeout ?? manifest.timeoutMs,
    };
    checkTiming(timing);
    const { name, kind, agentSelector, severity, category, serviceId } = given;
    const [probe] = await act.db
      .insert(probes)
      .values({
        ...timing,
        ...{ name, kind, agentSelector, severity, category, serviceId },
        config: checkConfig(manifest, given.config ?? {}),
        rules: mergeRules(undefined, given.rules),
        remediation: checkRemediation(given.remediation),
        createdAt: act.now,
        updatedAt: act.now,
      })
      .returning()
      .catch(refuseConflict(name, serviceId));
    tell(act, "probe.created", `Probe "${name}" (${kind}) was made`, probe!);
    return { probe: probe! };
  },
});

export const updateProbe = command({
  permission: "probe:write",
  input: z.object({
    id: uuid(),
    name: name.optional(),
    ...fields,
    enabled: z.boolean().optional().describe("False: no agent runs it."),
    serviceId: uuid().nullable().optional().describe("The service it watches; null: none."),
    remediation: remediation.nullable().optional().describe(remediationText),
  }),
  async run(act, { id, interval, retryInterval, timeout, config, rules, ...given }) {
    const [before] = await act.db.select().from(probes).where(eq(probes.id, id)).for("no key update");
    if (!before) throw notFound(id);
    const intervalMs = interval ?? before.intervalMs;
    const timing = {
      intervalMs,
      retryIntervalMs: retryInterval ?? Math.min(before.retryIntervalMs, intervalMs),
      timeoutMs: timeout ?? before.timeoutMs,
    };
    checkTiming(timing);
    const [probe] = await act.db
      .update(probes)
      .set({
        ...given,
        ...timing,
        config: config && checkConfig(manifestOf(before.kind), config),
        rules: mergeRules(before.rules, rules),
        remediation: checkRemediation(given.remediation),
        version: sql`${probes.version} + 1`,
        updatedAt: act.now,
      })
      .where(eq(probes.id, id))
      .returning()
      .catch(refuseConflict(given.name ?? before.name, given.serviceId));
    if (given.enabled === false || given.agentSelector) {
      const reason = probe!.enabled ? "is no longer assigned to the agent" : "was switched off";
      await resolveOver(act, await incidentsBehind(act, "probe_id", id), `${probe!.name} ${reason}`);
    }
    tell(act, "probe.updated", `Probe "${probe!.name}" was changed`, probe!);
    return { probe: probe! };
  },
});

export const deleteProbe = command({
  permission: "probe:write",
  input: z.object({ id: uuid() }),
  async run(act, { id }) {
    const [probe] = await act.db.select().from(probes).where(eq(probes.id, id)).for("update");
    if (!probe) throw notFound(id);
    const behind = await incidentsBehind(act, "probe_id", id);
    await act.db.delete(probes).where(eq(probes.id, id));
    await resolveOver(act, behind, `${probe.name} was deleted`);
    tell(act, "probe.deleted", `Probe "${probe.name}" was deleted`, probe);
    return { deletedId: id };
  },
});

export const runProbe = command({
  permission: "probe:run",
  input: z.object({ probeId: uuid().describe("What runs."), agentId: uuid().describe("Where it runs.") }),
  async run(act, { probeId, agentId }) {
    const [probe] = await act.db.select().from(probes).where(eq(probes.id, probeId));
    if (!probe) throw notFound(probeId, "probeId");
    const [agent] = await act.db
      .select()
      .from(agents)
      .where(and(eq(agents.id, agentId), isNull(agents.revokedAt)));
    if (!agent) throw new AppError("NOT_FOUND", `There is no agent ${agentId}.`, { field: "agentId" });
    if (!probe.enabled || !selects(probe.agentSelector, agent))
      throw new AppError(
        "CONFLICT",
        `Probe "${probe.name}" is ${probe.enabled ? `not assigned to ${agent.name}: its labels do not match` : "switched off"}.`,
        { field: "probeId" },
      );
    const { id } = await issueCommand(act, { agentId, kind: "RUN_PROBE", probeId, startWithinMs: 60_000 });
    act.emit({
      type: "probe.run_requested",
      summary: `${probe.name} is to run on ${agent.name} now`,
      payload: { probeId, agentId, commandId: id },
    });
    return { commandId: id };
  },
});

function tell({ emit, hint }: Act, type: string, summary: string, { id, kind, version, serviceId }: ProbeRow): void {
  emit({ type, summary, serviceId, payload: { probeId: id, kind, version } });
  hint("probes");
}

const notFound = (id: string, field = "id") => new AppError("NOT_FOUND", `There is no probe ${id}.`, { field });

const refuseConflict = (name: string, serviceId: string | null | undefined) => (error: unknown) => {
  const constraint = violatedConstraint(error);
  if (constraint === "probes_name")
    throw new AppError("ALREADY_EXISTS", `name: there is a probe "${name}" already.`, { field: "name" });
  if (constraint?.includes("service_id"))
    throw new AppError("NOT_FOUND", `serviceId: there is no service ${serviceId}.`, { field: "serviceId" });
  throw error;
};
