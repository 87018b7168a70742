import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

test("the SDK bundles for a browser, without a Node module", async () => {
  const { build } = await import("vite");
  const warnings: string[] = [];
  const result = await build({
    configFile: false,
    logLevel: "silent",
    build: {
      write: false,
      minify: false,
      lib: { entry: fileURLToPath(new URL("index.ts", import.meta.url)), formats: ["es"] },
      rollupOptions: { onwarn: ({ message }) => warnings.push(message) },
    },
  });
  const outputs = Array.isArray(result) ? result : [result];
  const code = outputs
    .flatMap((bundle) => ("output" in bundle ? bundle.output : []))
    .map((file) => ("code" in file ? file.code : ""));
  expect(code.join("")).toContain("IncidentEvents");
  expect(code.join("")).not.toMatch(/from "node:|require\("|__vite-browser-external/);
  expect(warnings).toEqual([]);
}, 60_000);
