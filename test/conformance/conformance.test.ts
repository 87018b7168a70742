import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { scrape } from "../../packages/api/src/http/testing/scrape.js";
import { hasPrometheus } from "../harness/prometheus.js";
import { ADMIN_TOKEN, type ServerProcess, startServerProcess } from "../harness/server-process.js";
import { abuse } from "./abuse.js";
import type { Area, Check, Subject } from "./check.js";
import { graphqlOverHttp } from "./graphql-http.js";
import { metricsFormats } from "./metrics-formats.js";
import { nagios } from "./nagios.js";
import { socketProtocol } from "./socket-protocol.js";

/** The most of a core that one check may cost the server. Time on the wall would blame it for what others do. */
const MAX_CPU_SECONDS = 3;
const AREAS = [graphqlOverHttp, socketProtocol, abuse, nagios, metricsFormats];
const canScrape = await hasPrometheus();

let server: ServerProcess;
let subject: Subject;
const verdicts = new Map<Check, string>();
const begun = new Map<Check, Promise<string>>();

beforeAll(async () => {
  server = await startServerProcess();
  subject = { url: server.url, token: ADMIN_TOKEN };
  for (const check of AREAS.flatMap(({ checks }) => checks)) if (check.slow) begun.set(check, check.run(subject));
});
afterAll(() => server[Symbol.asyncDispose]());

const titled = ({ checks }: Area) => checks.map((check) => [check.what, check] as const);
const cpuSeconds = async () => (await scrape(subject.url)).value("process_cpu_seconds_total")!;

describe.each(AREAS.map((area) => [area.name, area] as const))("%s", (_name, area) => {
  test.skipIf(area === metricsFormats && !canScrape).each(titled(area))("%s", async (_what, check) => {
    const before = await cpuSeconds();
    const answer = begun.get(check) ?? check.run(subject);
    // While it is tried, others are served.
    expect((await fetch(`${subject.url}/health`)).status).toBe(200);
    const verdict = await answer;
    expect(verdict).toEqual(
      typeof check.expected === "string" ? check.expected : expect.stringMatching(check.expected),
    );
    if (!check.slow) expect((await cpuSeconds()) - before).toBeLessThan(MAX_CPU_SECONDS);
    verdicts.set(check, verdict);
  });
});

test.skipIf(!canScrape)(
  "docs/conformance.md is what came out; `npm test -- test/conformance -u` writes it anew",
  async () => {
    for (const { name, checks } of AREAS)
      expect(
        checks.filter((check) => !verdicts.has(check)).map(({ what }) => what),
        name,
      ).toEqual([]);
    const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");
    const rows = AREAS.flatMap(({ name, file, checks }) =>
      checks.map((check) => `| ${name} | ${cell(check.what)} | ${cell(verdicts.get(check)!)} | ${file} |`),
    );
    const page = `# Conformance

What a running server answered, check by check. \`npm test -- test/conformance\` tries all of it on a server process and
compares this page with what came out. Each check must end with the verdict that it stands for, cost the server less than
${MAX_CPU_SECONDS} s of CPU, and leave it answering others meanwhile.

| Area | Checked | Verdict | Test |
|---|---|---|---|
${rows.join("\n")}
`;
    await expect(page).toMatchFileSnapshot("../../docs/conformance.md");
  },
);
