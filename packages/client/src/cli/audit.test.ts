import { expect, test } from "vitest";
import { chain } from "../testing/chain.js";
import { refuse, testCli } from "../testing/test-cli.js";

const cli = testCli();
const { poppo, roots } = cli;

test("an export of many pages verifies offline", async () => {
  const all = chain(1203);
  roots.auditLog = ({ after, first }: { after: string; first: number }) =>
    all.slice(Number(after), Number(after) + first);
  const whole = await poppo(["audit", "export"]);
  expect(whole.stdout.trim().split("\n")).toHaveLength(1204);
  const rest = await poppo(["audit", "export", "--after", "1000"]);
  await cli.server.stop();
  expect(await poppo(["audit", "verify"], { input: whole.stdout })).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("1203 records are unbroken"),
  });
  expect(await poppo(["audit", "verify"], { input: rest.stdout })).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("203 records are unbroken"),
  });
});

test("an export that failed leaves nothing, and nothing verifies nothing", async () => {
  roots.auditLog = refuse("UNAVAILABLE");
  expect(await poppo(["audit", "export"])).toMatchObject({ code: 4, stdout: "" });
  for (const input of ["", '{"after":"0","hash":""}\n'])
    expect(await poppo(["audit", "verify"], { input })).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringContaining("There is no record to check."),
    });
});

test("a broken record is named, and exits 1", async () => {
  const input = chain(5).map((record) => JSON.stringify(record.seq === "3" ? { ...record, body: "[3]" } : record));
  const { stderr, code } = await poppo(["audit", "verify"], { input: input.join("\n") });
  expect(stderr).toContain("broken at seq 3:");
  expect(code).toBe(1);
});
