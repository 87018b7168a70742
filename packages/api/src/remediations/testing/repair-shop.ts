import { pino } from "pino";
import { expect, vi } from "vitest";
import { testProbe } from "../../agents/testing/test-probes.js";
import { watchedFor } from "../../agents/testing/watched-for.js";
import { type TestServer, testServer } from "../../http/testing/test-server.js";
import { newId } from "../../kernel/ids.js";
import { followRuns } from "../follow-runs.js";
import { ScriptedAgent } from "./scripted-agent.js";

export interface Run {
  id: string;
  status: string;
  target: string;
  automatic: boolean;
  preview: unknown;
  summary: string | null;
  survivors: number[] | null;
  decidedBy: string | null;
  input: unknown;
  startedAt: string | null;
  finishedAt: string | null;
}
export interface Event {
  type: string;
  summary: string;
  actor: string;
  payload: Record<string, unknown>;
}
export interface Refused {
  code: string;
  message: string;
}

const RUN = "id status target automatic preview summary survivors decidedBy input startedAt finishedAt";

/** A target of its own per test, so that no test sees another one's lock, breaker or history. */
export const newItem = () => `web-${newId().slice(0, 8)}`;

/** A server, an agent that obeys the test, and what a person does with remediations. */
export class RepairShop implements AsyncDisposable {
  private constructor(
    readonly server: TestServer,
    readonly agent: ScriptedAgent,
    /** What the server warned of. An engine module that fails tries again: only the log tells. */
    private readonly warnings: string[],
  ) {}

  /** With a server of its own; or on one more replica of the same installation. */
  static async open(options: Parameters<typeof testServer>[0] = {}): Promise<RepairShop> {
    const failures: string[] = [];
    const log = pino({ level: "warn" }, { write: (line) => void failures.push(line) });
    const server = await testServer({ log, ...options });
    return new RepairShop(server, await ScriptedAgent.start(server), failures);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.agent[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
    expect(this.warnings.filter((line) => line.includes("engine module failed"))).toEqual([]);
  }

  /** A probe whose failing item a restart is to fix. */
  probe(input: Record<string, unknown> = {}): Promise<string> {
    return testProbe(this.server, {
      kind: "docker.containers",
      remediation: { kind: "docker.restart", input: { container: "{item}" } },
      ...input,
    });
  }

  /** The item fails. @returns the incident it raises */
  async fails(probeId: string, item = "web", agent = this.agent): Promise<string> {
    await agent.observes(probeId, "CRIT", item);
    return vi.waitFor(async () => {
      const [row] = await this.sql(
        "SELECT incident_id FROM probe_state WHERE agent_id = $1 AND probe_id = $2 AND item = $3 AND incident_id IS NOT NULL",
        [agent.id, probeId, item],
      );
      return (row as { incident_id: string }).incident_id;
    });
  }

  async request(input: object): Promise<{ run: Run | null; refused: Refused | undefined }> {
    return this.mutate("requestRemediation", "RequestRemediationInput", input);
  }

  async approve(id: string, reason?: string, token?: string) {
    return this.mutate("approveRemediation", "DecideRemediationInput", { id, reason }, token);
  }

  async reject(id: string, reason?: string) {
    return this.mutate("rejectRemediation", "DecideRemediationInput", { id, reason });
  }

  async cancel(id: string, reason?: string) {
    return this.mutate("cancelRemediation", "DecideRemediationInput", { id, reason });
  }

  /** Requested, approved and begun. */
  async begun(probeId: string, item = "web") {
    const incidentId = await this.fails(probeId, item);
    const { run } = await this.request({ incidentId });
    const { refused } = await this.approve(run!.id);
    expect(refused).toBeUndefined();
    const command = await this.agent.begins(item);
    await this.becomes(run!.id, "RUNNING");
    return { incidentId, runId: run!.id, command };
  }

  /** Begun, done, and verified by the probe. @returns the run's id */
  async helped(probeId: string, item: string): Promise<string> {
    const { command, runId } = await this.begun(probeId, item);
    await this.agent.reports(command, { end: "SUCCEEDED" });
    await this.becomes(runId, "VERIFYING");
    await this.agent.observes(probeId, "OK", item);
    await this.becomes(runId, "SUCCEEDED");
    return runId;
  }

  /** One look of a replica that has heard agents for so long. */
  follow(watchedMs = 3_600_000): Promise<number> {
    return followRuns(this.server.app, watchedFor(watchedMs)).step();
  }

  /** So far back that what was seen of the probe last came after it. */
  passDeadline(runId: string): Promise<unknown> {
    return this.sql("UPDATE remediation_runs SET verify_by = now() - interval '10 minutes' WHERE id = $1", [runId]);
  }

  async remediationEvents(incidentId: string): Promise<string[]> {
    return (await this.events(incidentId)).map(({ type }) => type).filter((type) => type.startsWith("remediation."));
  }

  /** Makes the probe's remediation automatic. */
  async automate(probeId: string, limits: object = {}): Promise<Refused | undefined> {
    const { data } = await this.server.ask(
      "mutation ($input: SetRemediationPolicyInput!) { setRemediationPolicy(input: $input) { policy { id } userErrors { code message } } }",
      { input: { probeId, mode: "AUTOMATIC", ...limits } },
    );
    return data.setRemediationPolicy.userErrors[0];
  }

  async run(id: string): Promise<Run> {
    const { data } = await this.server.ask(`query ($id: ID!) { remediationRun(id: $id) { ${RUN} } }`, { id });
    return data.remediationRun;
  }

  async runsOf(incidentId: string): Promise<Run[]> {
    const { data } = await this.server.ask(
      `query ($id: ID!) { incident(id: $id) { remediationRuns { nodes { ${RUN} } } } }`,
      { id: incidentId },
    );
    return data.incident.remediationRuns.nodes;
  }

  /** Waits until the run has that status. */
  becomes(id: string, status: string): Promise<Run> {
    return vi.waitFor(
      async () => {
        const run = await this.run(id);
        expect(run.status).toBe(status);
        return run;
      },
      { timeout: 10_000, interval: 20 },
    );
  }

  async events(incidentId: string): Promise<Event[]> {
    const { data } = await this.server.ask(
      "query ($id: ID!) { incident(id: $id) { timeline(first: 200) { events { type summary actor payload } } } }",
      { id: incidentId },
    );
    return data.incident.timeline.events;
  }

  /** Waits for an event of that type on the incident. */
  event(incidentId: string, type: string): Promise<Event> {
    return vi.waitFor(
      async () => {
        const events = await this.events(incidentId);
        const found = events.find((event) => event.type === type);
        if (!found) throw new Error(`no ${type}; there are ${events.map((event) => event.type).join(", ")}`);
        return found;
      },
      { timeout: 10_000, interval: 20 },
    );
  }

  async sql(text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
    return (await this.server.app.database.pool.query(text, values)).rows;
  }

  private async mutate(field: string, type: string, input: object, token?: string) {
    const { data, errors } = await this.server.ask(
      `mutation ($input: ${type}!) { ${field}(input: $input) { run { ${RUN} } userErrors { code message } } }`,
      { input },
      token,
    );
    if (errors) throw Object.assign(new Error(errors[0]!.message), { code: errors[0]!.extensions.code });
    return { run: data[field].run as Run | null, refused: data[field].userErrors[0] as Refused | undefined };
  }
}
