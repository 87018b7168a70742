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
    testTimeout: 30_000,
    hookTimeout: 60_000,
    server: { deps: { inline: [/@poppo-ops\//, "type-graphql", "graphql-ws", "graphql-scalars"] } },
  },
});
