import type { CommandEnd, CommandPayload, OutcomeStatus } from "@poppo-ops/plugins/wire";
import { vi } from "vitest";
import { type AgentConnection, connect, type TestAgent, testAgent } from "../../agents/testing/test-agent.js";
import { result } from "../../agents/testing/test-probes.js";
import type { TestServer } from "../../http/testing/test-server.js";
import { newId } from "../../kernel/ids.js";

const REPORT = `mutation ($input: ReportCommandInput!) { reportCommand(input: $input) { accepted userErrors { message } } }`;
const OUTPUT = `mutation ($batch: OutputBatch!) { reportOutput(batch: $batch) { seq } }`;

export interface End {
  end: CommandEnd;
  summary?: string;
  result?: unknown;
  survivors?: number[];
}

/** An agent over the real protocol that does nothing by itself: the test says what it answers, and when. */
export class ScriptedAgent implements AsyncDisposable {
  private connection!: AgentConnection;
  private readonly epoch = newId();
  private seq = 0;
  private at = 0;
  private readonly taken = new Set<string>();

  private constructor(
    private readonly server: TestServer,
    private readonly agent: TestAgent,
  ) {}

  /** Enrolled, connected, and its session begun. */
  static async start(server: TestServer, name = `agent-${newId().slice(0, 8)}`): Promise<ScriptedAgent> {
    const scripted = new ScriptedAgent(server, await testAgent(server, name));
    await scripted.connect();
    return scripted;
  }

  get id(): string {
    return this.agent.id;
  }

  get name(): string {
    return this.agent.name;
  }

  async connect(): Promise<void> {
    this.connection = await connect(this.server, this.agent);
    await this.connection.open();
  }

  /** Gone without a word. */
  async disconnect(): Promise<void> {
    await this.connection[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.disconnect();
  }

  /** Every command of that kind that came on this connection. */
  received(kind: CommandPayload["kind"]): CommandPayload[] {
    return this.connection.messages
      .flatMap(({ commands }) => commands.map(({ payload }) => JSON.parse(payload) as CommandPayload))
      .filter((payload) => payload.kind === kind);
  }

  /** The next command of that kind for that container that no test step has taken yet. */
  takes(kind: CommandPayload["kind"], item: string): Promise<CommandPayload> {
    return vi.waitFor(
      () => {
        const command = this.received(kind).find(
          ({ id, target }) => target === `docker/${item}` && !this.taken.has(id),
        );
        if (!command) throw new Error(`${this.name} has got no ${kind} for ${item}`);
        this.taken.add(command.id);
        return command;
      },
      { timeout: 10_000, interval: 10 },
    );
  }

  /** Says that the command started, or with `end` how it ended. @returns whether that changed anything */
  async reports({ id, fencingToken }: CommandPayload, end?: End): Promise<boolean> {
    const input = { commandId: id, fencingToken: String(fencingToken), ...end };
    const { reportCommand } = await this.connection.run<{ reportCommand: { accepted: boolean } }>(REPORT, { input });
    return reportCommand.accepted;
  }

  /** Takes a preview command and answers it. */
  async previews(
    item: string,
    preview: unknown = { possible: true, actions: ["restart it"], refusals: [] },
  ): Promise<void> {
    await this.reports(await this.takes("PREVIEW", item), { end: "SUCCEEDED", result: preview });
  }

  /** Takes a remediation and says that it started. */
  async begins(item: string): Promise<CommandPayload> {
    const command = await this.takes("REMEDIATE", item);
    await this.reports(command);
    return command;
  }

  /** Takes a remediation and carries it out. */
  async remedies(item: string, end: End = { end: "SUCCEEDED", summary: "restarted it" }): Promise<CommandPayload> {
    const command = await this.begins(item);
    await this.reports(command, end);
    return command;
  }

  async writes({ id: commandId }: CommandPayload, from: number, ...texts: string[]): Promise<void> {
    const chunks = texts.map((text, i) => ({ seq: from + i, stream: "stdout", offset: from + i, text }));
    await this.connection.run(OUTPUT, { batch: { commandId, chunks } });
  }

  /** Reports an outcome of a probe, later than the one before. */
  async observes(probeId: string, status: OutcomeStatus, item = "web"): Promise<void> {
    this.at = Math.max(this.at + 1, this.server.app.clock.now());
    const results = [result(probeId, status, this.at, { item, summary: `${item} is ${status}` })];
    await this.connection.report({ epoch: this.epoch, from: ++this.seq, results });
  }
}
