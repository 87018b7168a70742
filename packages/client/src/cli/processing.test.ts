import { expect, test } from "vitest";
import { testCli } from "../testing/test-cli.js";

const { asked, poppo, roots } = testCli();

test("pause and resume work the kill switch", async () => {
  roots.pauseProcessing = () => ({ processing: { paused: true, until: "2126-01-01T00:00:00Z" }, userErrors: [] });
  roots.resumeProcessing = () => ({ processing: { paused: false }, userErrors: [] });
  expect((await poppo(["pause", "migration", "--for", "2h"])).stdout).toContain("Remediations are paused, until 2126");
  expect(asked("PauseProcessing")[0]!.variables).toEqual({ input: { reason: "migration", for: "2h" } });
  expect((await poppo(["resume"])).stdout).toBe("Remediations run again.\n");
});
