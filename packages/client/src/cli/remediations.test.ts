import { expect, test, vi } from "vitest";
import { FakeLog } from "../testing/fake-log.js";
import { connection, id, incident, run } from "../testing/sample-data.js";
import { testCli } from "../testing/test-cli.js";

const cli = testCli();
const { asked, poppo, roots } = cli;

test("a run is named by its id, or by its incident's number for the newest one", async () => {
  roots.incident = ({ number }: { number: number }) => (number === 12 ? incident(12) : null);
  roots.remediationRuns = () => connection([run()]);
  roots.cancelRemediation = () => ({ run: run({ status: "CANCELLED" }), userErrors: [] });
  expect(await poppo(["remediations", "cancel", "12"])).toMatchObject({ code: 0 });
  expect(asked("RemediationRuns")[0]!.variables).toEqual({ filter: { incidentIds: [id(12)] }, first: 1 });
  expect(asked("CancelRemediation")[0]!.variables).toEqual({ input: { id: id(700) } });
  expect(await poppo(["remediations", "show", "13"])).toMatchObject({ code: 5 });
  expect(await poppo(["remediations", "logs", "web"])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('"web" is no remediation run: write its id'),
  });
});

test("list begins with what is short; the id comes last", async () => {
  const long = run({ incident: incident(12), summary: "restarted" });
  roots.remediationRuns = () => connection([long]);
  const [head, row] = (await poppo(["remediations", "list"])).stdout.split("\n");
  expect(head).toMatch(/^INCIDENT +STATUS .* SUMMARY +RUN$/);
  expect(row).toMatch(new RegExp(`^#12 +AWAITING_APPROVAL .* restarted +${id(700)}$`));
});

test("approve says how to follow", async () => {
  roots.approveRemediation = () => ({ run: run({ status: "QUEUED" }), userErrors: [] });
  const { stdout } = await poppo(["remediations", "approve", id(700), "-m", "ok"]);
  expect(stdout).toBe(
    `docker.restart on docker/web: QUEUED\nFollow it with \`poppo-ops remediations logs -f ${id(700)}\`.\n`,
  );
  expect(asked("ApproveRemediation")[0]!.variables).toEqual({ input: { id: id(700), reason: "ok" } });
});

test("a refusal names the rule", async () => {
  roots.approveRemediation = () => ({ userErrors: [{ code: "REFUSED_BY_POLICY", message: "cooldown: 4m left" }] });
  expect(await poppo(["remediations", "approve", id(700)])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("cooldown: 4m left"),
  });
});

test("logs -f waits for the end of a run, which comes after the end of its output", async () => {
  const log = new FakeLog();
  let status = "RUNNING";
  Object.assign(roots, log.roots, {
    remediationOutput: async function* () {
      yield { remediationOutput: { chunks: [], ended: true } };
    },
    incidentSnapshot: () => ({ cursor: log.cursor(0), incidents: connection([]) }),
    remediationRun: () => run({ status }),
  });
  const logs = cli.shell.start(["remediations", "logs", "-f", id(700)], { POPPO_URL: cli.server.url });
  const reads = () => asked("RemediationRun");
  await vi.waitFor(() => expect(log.open).toBe(1), { timeout: 10_000 });
  expect(reads()).toHaveLength(1);
  status = "VERIFYING";
  log.append(1, { type: "remediation.verifying", payload: { runId: id(700) } });
  await vi.waitFor(() => expect(reads()).toHaveLength(2), { timeout: 10_000 });
  status = "SUCCEEDED";
  log.append(1, { type: "remediation.verified", payload: { runId: id(1) } });
  log.append(1, { type: "remediation.verified", payload: { runId: id(700) } });
  expect(await logs.ended).toMatchObject({ code: 0, stderr: "" });
  expect(reads()).toHaveLength(3);
});

test("logs -f writes the output as it comes and fails with a run that failed", async () => {
  roots.remediationOutput = async function* () {
    yield {
      remediationOutput: { chunks: [{ seq: 0, stream: "stdout", offset: 0, text: "stopping\n" }], ended: false },
    };
    yield { remediationOutput: { chunks: [{ seq: 1, stream: "stderr", offset: 0, text: "boom\n" }], ended: true } };
  };
  roots.incidentSnapshot = () => ({ cursor: "c", incidents: connection([]) });
  roots.remediationRun = () => run({ status: "FAILED", summary: "exit code 1" });
  const { stdout, stderr, code } = await poppo(["remediations", "logs", "-f", id(700)]);
  expect(stdout).toBe("stopping\n");
  expect(stderr).toContain("boom\n");
  expect(stderr).toContain("The run ended as FAILED: exit code 1");
  expect(code).toBe(1);
});
