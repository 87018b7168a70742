import "reflect-metadata";
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { CriticalityLevel, diff } from "@graphql-inspector/core";
import { lexicographicSortSchema, buildSchema as parseSchema, printSchema } from "graphql";
import { buildSchema } from "./schema.js";

const SCHEMA_FILE = fileURLToPath(new URL("../schema.graphql", import.meta.url));
const DECLARED_FILE = fileURLToPath(new URL("../breaking-changes.json", import.meta.url));

/** A change that clients will notice, declared by whoever made it. Emptied with a release. */
export interface DeclaredChange {
  change: string;
  reason: string;
}

export interface SchemaComparison {
  checkedIn: string;
  fromCode: string;
  /** Every difference in words, the breaking ones first. */
  changes: { breaking: boolean; message: string }[];
  /** Breaking, and not in `breaking-changes.json`. */
  undeclared: string[];
}

/** The public API as text: what the code says, sorted, with its descriptions. */
const schemaText = async (): Promise<string> => `${printSchema(lexicographicSortSchema(await buildSchema()))}\n`;

/** How the code's schema differs from `schema.graphql`. */
export async function compareSchema(): Promise<SchemaComparison> {
  const [checkedIn, fromCode, declared] = await Promise.all([
    readFile(SCHEMA_FILE, "utf8"),
    schemaText(),
    readFile(DECLARED_FILE, "utf8").then((text) => JSON.parse(text) as DeclaredChange[]),
  ]);
  const found = await diff(parseSchema(checkedIn), parseSchema(fromCode));
  const changes = found
    .map(({ message, criticality }) => ({ message, breaking: criticality.level === CriticalityLevel.Breaking }))
    .sort((a, b) => Number(b.breaking) - Number(a.breaking));
  const known = new Set(declared.map(({ change }) => change));
  const undeclared = changes.filter(({ breaking, message }) => breaking && !known.has(message));
  return { checkedIn, fromCode, changes, undeclared: undeclared.map(({ message }) => message) };
}

/**
 * `--check` tells the differences and fails when there are any; `--write` writes the file, and refuses when that would break
 * clients without saying so; `--write --declare "<reason>"` says so for all of them.
 */
async function main([mode, option, reason]: string[]): Promise<number> {
  const { checkedIn, fromCode, changes, undeclared } = await compareSchema();
  for (const { breaking, message } of changes) console.log(`${breaking ? "BREAKING  " : "          "}${message}`);
  if (mode !== "--write") return checkedIn === fromCode ? 0 : 1;
  if (undeclared.length > 0 && !(option === "--declare" && reason)) {
    console.error(
      `schema.graphql is not written: ${undeclared.length} changes break clients. Add them to breaking-changes.json with a reason, or run with --write --declare "<reason>".`,
    );
    return 1;
  }
  await writeFile(SCHEMA_FILE, fromCode);
  if (undeclared.length > 0) await declare(undeclared, reason!);
  return 0;
}

async function declare(messages: string[], reason: string): Promise<void> {
  const declared = JSON.parse(await readFile(DECLARED_FILE, "utf8")) as DeclaredChange[];
  const all = [...declared, ...messages.map((change) => ({ change, reason }))];
  await writeFile(DECLARED_FILE, `${JSON.stringify(all, null, 2)}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main(process.argv.slice(2));
