import { defineConfig } from "drizzle-kit";

// Reads the compiled tables: drizzle-kit cannot resolve the `.js` of an ESM import to a TypeScript file.
export default defineConfig({ dialect: "postgresql", schema: "./dist/**/*.table.js", out: "./migrations" });
