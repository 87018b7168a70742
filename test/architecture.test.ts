import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Which packages a package may import. */
const PACKAGES: Record<string, string[]> = {
  plugins: [],
  client: [],
  agent: ["plugins", "client"],
  api: ["plugins"],
  dashboard: ["client"],
};

/** Rooms of the server, left to right; a room imports only rooms to its left. */
const ROOMS = [
  "access",
  "services",
  "suppressions",
  "schedules",
  "incidents",
  "notifications",
  "escalations",
  "signals",
  "agents",
  "remediations",
  "playbooks",
  "operations",
];
const GROUND_FLOOR = ["kernel", "db", "graphql", "events", "engine", "http"];

interface Import {
  from: string;
  to: string;
  typeOnly: boolean;
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter(
      (path) =>
        path.endsWith(".ts") &&
        !path.endsWith(".d.ts") &&
        !path.includes(`${sep}dist${sep}`) &&
        !path.includes("node_modules"),
    );
}

/** The formatter keeps imports in one shape, so a pattern reads them as well as a parser would. */
function importsOf(path: string): { specifier: string; typeOnly: boolean }[] {
  const source = readFileSync(path, "utf8");
  const statements = source.matchAll(
    /^(?:import|export)\b(?<what>[^;"']*?)\bfrom "(?<static>[^"]+)"|^import "(?<bare>[^"]+)"|\bimport\(\s*"(?<dynamic>[^"]+)"/gm,
  );
  return [...statements].map(({ groups }) => ({
    specifier: (groups!.static ?? groups!.bare ?? groups!.dynamic)!,
    typeOnly: /^\s+type\b/.test(groups!.what ?? "") || isAllTypes(groups!.what),
  }));
}

const isAllTypes = (what: string | undefined): boolean => {
  const names = /^\s*\{([^}]*)\}\s*$/
    .exec(what ?? "")?.[1]
    ?.split(",")
    .map((name) => name.trim())
    .filter(Boolean);
  return Boolean(names?.length && names.every((name) => name.startsWith("type ")));
};

function relativeImports(folder: string): Import[] {
  return sourceFiles(folder).flatMap((from) =>
    importsOf(from)
      .filter(({ specifier }) => specifier.startsWith("."))
      .map(({ specifier, typeOnly }) => ({
        from,
        to: join(dirname(from), specifier).replace(/\.js$/, ".ts"),
        typeOnly,
      })),
  );
}

const isTest = (path: string) => path.endsWith(".test.ts") || path.includes(`${sep}testing${sep}`);
const packages = readdirSync(join(root, "packages"));

describe("packages point one way", () => {
  test.each(packages)("%s imports only what the architecture allows", (name) => {
    const allowed = PACKAGES[name];
    expect(allowed, `packages/${name} has no place in the architecture`).toBeDefined();
    const wrong = sourceFiles(join(root, "packages", name, "src")).flatMap((path) =>
      importsOf(path)
        .map(({ specifier }) => /^@poppo-ops\/([a-z]+)/.exec(specifier)?.[1])
        .filter((other) => other && other !== name && !allowed!.includes(other))
        .map((other) => `${relative(root, path)} imports @poppo-ops/${other}`),
    );
    expect(wrong).toEqual([]);
  });

  test("no package reaches into another one's files, and nothing imports test", () => {
    const wrong = packages.flatMap((name) => {
      const home = join(root, "packages", name) + sep;
      return relativeImports(join(home, "src"))
        .filter(({ to }) => !to.startsWith(home))
        .map(({ from, to }) => `${relative(root, from)} imports ${relative(root, to)}`);
    });
    expect(wrong).toEqual([]);
  });
});

describe("the rooms of the server", () => {
  const source = join(root, "packages/api/src");
  const areaOf = (path: string) => relative(source, path).split(sep)[0]!;

  test("every folder is a room or the ground floor", () => {
    const folders = readdirSync(source, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    const unknown = folders.map((entry) => entry.name).filter((name) => ![...ROOMS, ...GROUND_FLOOR].includes(name));
    expect(unknown).toEqual([]);
  });

  test("a room imports only rooms to its left; the ground floor imports no room", () => {
    const wrong = relativeImports(source)
      .filter(({ from }) => !isTest(from))
      .filter(({ from, to }) => {
        const [here, there] = [ROOMS.indexOf(areaOf(from)), ROOMS.indexOf(areaOf(to))];
        if (there === -1 || areaOf(from) === areaOf(to)) return false;
        const composes = !relative(source, from).includes(sep);
        return GROUND_FLOOR.includes(areaOf(from)) || (here < there && !composes);
      })
      .map(({ from, to }) => `${relative(source, from)} imports ${relative(source, to)}`);
    expect(wrong).toEqual([]);
  });

  test("the folders of the ground floor form no cycle at run time", () => {
    const edges = relativeImports(source).filter(({ from, typeOnly }) => !typeOnly && !isTest(from));
    const graph = graphOf(
      edges
        .map(({ from, to }) => [areaOf(from), areaOf(to)] as const)
        .filter(([a, b]) => a !== b && !a.endsWith(".ts")),
    );
    expect(cyclesOf(graph)).toEqual([]);
  });
});

test.each(packages)("the files of %s form no cycle", (name) => {
  const edges = relativeImports(join(root, "packages", name, "src"));
  const graph = graphOf(
    edges
      .filter(({ typeOnly }) => !typeOnly)
      .map(({ from, to }) => [relative(root, from), relative(root, to)] as const),
  );
  expect(cyclesOf(graph)).toEqual([]);
});

test("time and chance come from one place", () => {
  const doors = /(^|\/)(clock|ids)\.ts$/;
  const wrong = packages
    .flatMap((name) => sourceFiles(join(root, "packages", name, "src")))
    .filter((path) => !isTest(path) && !doors.test(path))
    .flatMap((path) =>
      [...readFileSync(path, "utf8").matchAll(/\b(Date\.now\(|new Date\(\)|Math\.random\(|setInterval\()/g)].map(
        (match) => `${relative(root, path)} uses ${match[1]}…`,
      ),
    );
  expect(wrong).toEqual([]);
});

test("no file is named after a drawer", () => {
  const drawers = /(^|\/)(utils?|helpers?|common|shared|types|interfaces|constants)\.ts$/;
  expect(
    packages.flatMap((name) => sourceFiles(join(root, "packages", name, "src"))).filter((path) => drawers.test(path)),
  ).toEqual([]);
});

function graphOf(edges: (readonly [string, string])[]): Map<string, Set<string>> {
  const graph = new Map<string, Set<string>>();
  for (const [from, to] of edges) graph.set(from, (graph.get(from) ?? new Set()).add(to));
  return graph;
}

function cyclesOf(graph: Map<string, Set<string>>): string[] {
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (node: string, path: string[]) => {
    if (path.includes(node)) cycles.push([...path.slice(path.indexOf(node)), node].join(" → "));
    if (done.has(node) || path.includes(node)) return;
    for (const next of graph.get(node) ?? []) visit(next, [...path, node]);
    done.add(node);
  };
  for (const node of graph.keys()) visit(node, []);
  return cycles;
}
