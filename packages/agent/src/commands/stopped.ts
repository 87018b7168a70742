import type { CommandEnd } from "@poppo-ops/plugins/wire";

/** Why a running command is stopped; the reason of its abort signal. */
export class Stopped extends Error {
  override name = "Stopped";

  constructor(
    readonly end: Extract<CommandEnd, "CANCELLED" | "TIMED_OUT" | "INTERRUPTED">,
    message: string,
  ) {
    super(message);
  }
}
