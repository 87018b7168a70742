import type { OutcomeStatus, Result } from "@poppo-ops/plugins/wire";
import type { TestServer } from "../../http/testing/test-server.js";
import { newId } from "../../kernel/ids.js";

/** A probe that raises at the first failure and recovers at the first success. */
export async function testProbe({ ask }: TestServer, input: Record<string, unknown> = {}): Promise<string> {
  const { data } = await ask(
    "mutation ($input: CreateProbeInput!) { createProbe(input: $input) { probe { id } userErrors { message } } }",
    {
      input: {
        name: `probe-${newId().slice(0, 8)}`,
        kind: "system.load",
        interval: "10s",
        timeout: "5s",
        rules: { attempts: 1, recoveries: 1 },
        ...input,
      },
    },
  );
  if (!data.createProbe.probe) throw new Error(data.createProbe.userErrors[0].message);
  return data.createProbe.probe.id;
}

export const result = (probeId: string, status: OutcomeStatus, at: number, more: Partial<Result> = {}): Result => ({
  probeId,
  item: "",
  at,
  durationMs: 3,
  status,
  summary: `it is ${status}`,
  metrics: { load: [1.5, "1"] },
  evidence: null,
  ...more,
});
