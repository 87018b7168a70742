import { ReportCommandDocument } from "@poppo-ops/client";
import type { CommandPayload } from "@poppo-ops/plugins/wire";
import type { SimulatedAgent } from "./simulated-agent.js";

const AGAIN_MS = 200;

/** Runs commands as an agent does: what it has run it does not run again, and it says its end until that is heard. */
export class CommandBook {
  /** How often each command was run. */
  readonly runs = new Map<string, number>();
  /** How often the server accepted the end of each. */
  readonly acceptedEnds = new Map<string, number>();
  private closed = false;

  constructor(private readonly agent: SimulatedAgent) {
    agent.onCommand = ({ id, payload }) => {
      if (this.runs.has(id)) return;
      this.runs.set(id, 1);
      void this.reportEnd(JSON.parse(payload) as CommandPayload);
    };
  }

  close(): void {
    this.closed = true;
  }

  private async reportEnd({ id, fencingToken }: CommandPayload): Promise<void> {
    const input = { commandId: id, fencingToken: String(fencingToken), end: "SUCCEEDED" as const };
    try {
      const { reportCommand } = await this.agent.socket.execute(ReportCommandDocument, { input });
      if (reportCommand.accepted) this.acceptedEnds.set(id, (this.acceptedEnds.get(id) ?? 0) + 1);
    } catch {
      if (!this.closed) setTimeout(() => void this.reportEnd({ id, fencingToken } as CommandPayload), AGAIN_MS);
    }
  }
}
