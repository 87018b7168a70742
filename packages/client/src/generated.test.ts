import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";

const codegen = "../codegen.mjs";

test("the SDK is up to date with the schema (else: pnpm --filter @poppo-ops/client generate)", async () => {
  const { generate, generatedFile } = (await import(codegen)) as { generate(): Promise<string>; generatedFile: URL };
  expect(await readFile(generatedFile, "utf8")).toBe(await generate());
});
