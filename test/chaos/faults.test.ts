import { expect, test } from "vitest";
import { faultKinds, planFault } from "./faults.js";
import { createRandom } from "./random.js";
import type { World } from "./world.js";

const victim = (name: string) => ({ name, link: {}, database: {}, points: "" });
// Planning looks at who there is, and at nothing else.
const world = {
  replicas: [victim("server-1"), victim("server-2")],
  hosts: [victim("host-1"), victim("host-2"), victim("host-3")],
  crowd: [{ name: "crowd-1" }],
  probes: {},
  isolations: [],
  stormSize: 100,
} as unknown as World;

function plan(seed: number): string[] {
  const random = createRandom(seed);
  const kinds = faultKinds({ long: true });
  return Array.from({ length: 200 }, () => {
    const { kind, description } = planFault(world, random, kinds);
    return `${kind}: ${description}`;
  });
}

test("a seed gives the same faults, in the same order, with the same victims", () => {
  expect(plan(7)).toEqual(plan(7));
  expect(plan(7)).not.toEqual(plan(8));
});

test("every kind of fault happens", () => {
  const planned = new Set(plan(7).map((line) => line.split(": ")[0]));
  expect([...planned].sort()).toEqual(faultKinds({ long: true }).sort());
});
