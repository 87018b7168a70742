import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { expect, test } from "vitest";
import { createProgram } from "./program.js";

const { commands } = createProgram("0.0.0");
const isNoun = ({ commands }: Command) => commands.length > 0;

test("README.md has every command", async () => {
  const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
  const [, table] = /<!-- test: commands -->\n((?:\|.*\n)+)/.exec(readme)!;
  const rows = table!.trim().split("\n").slice(2);
  const words = (line: string) => [...line.matchAll(/`([a-z]+)`/g)].map(([, word]) => word!);
  const names = (all: readonly Command[]) => all.map((command) => command.name());
  const nouns = commands.filter(isNoun).map((noun) => [noun.name(), ...names(noun.commands)]);
  const alone = names(commands.filter((command) => !isNoun(command)));
  expect(rows.map(words)).toEqual(expect.arrayContaining([...nouns, alone]));
  expect(rows).toHaveLength(nouns.length + 1);
});
