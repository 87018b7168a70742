import { ReportCommandDocument } from "@poppo-ops/client";
import type { CommandPayload } from "@poppo-ops/plugins/wire";
import type { SimulatedAgent } from "./simulated-agent.js";

const AGAIN_MS = 200;

/** Carries commands out as an agent does: none a second time, and it says the end until the server has heard it. */
export class CommandBook {
  private readonly seen = new Set<string>();
  /** How often the server took the end of a command for the first one. */
  readonly accepted = new Map<string, number>();

  constructor(private readonly agent: SimulatedAgent) {
    agent.onCommand = ({ id, payload }) => {
      if (this.seen.has(id)) return;
      this.seen.add(id);
      void this.reportEnd(JSON.parse(payload));
    };
  }

  private async reportEnd({ id, fencingToken }: Pick<CommandPayload, "id" | "fencingToken">): Promise<void> {
    const input = { commandId: id, fencingToken: String(fencingToken), end: "SUCCEEDED" as const };
    try {
      const { reportCommand } = await this.agent.socket.execute(ReportCommandDocument, { input });
      if (reportCommand.accepted) this.accepted.set(id, (this.accepted.get(id) ?? 0) + 1);
    } catch (error) {
      // The connection was lost before the answer came.
      if ((error as { retryable?: boolean }).retryable)
        setTimeout(() => void this.reportEnd({ id, fencingToken }), AGAIN_MS);
    }
  }
}
