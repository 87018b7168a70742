import { createRequire } from "node:module";
import { defineConfig } from "vitest/config";

const require = createRequire(new URL("./packages/api/package.json", import.meta.url));

export default defineConfig({
  // One copy of graphql for sources and dependencies alike; two make "another module or realm".
  resolve: { conditions: ["source"], alias: [{ find: /^graphql$/, replacement: require.resolve("graphql/index.js") }] },
  ssr: { resolve: { conditions: ["source"] } },
  test: {
    include: ["packages/*/src/**/*.test.ts", "test/**/*.test.ts", "scripts/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**"],
    globalSetup: "test/setup/postgres.ts",
    pool: "forks",
    maxWorkers: 2,
    // What is waited for comes at once on an idle machine; the bound is for one that is busy.
    expect: { poll: { timeout: 15_000 } },
    testTimeout: 60_000,
    hookTimeout: 120_000,
    server: { deps: { inline: [/@poppo-ops\//, "type-graphql", "graphql-ws", "graphql-scalars"] } },
  },
});
