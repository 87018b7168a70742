import { expect, test } from "vitest";
import { createRandom } from "./random.js";

const draw = (seed: number) => {
  const random = createRandom(seed);
  return Array.from({ length: 100 }, () => random.between(1, 1000));
};

test("a seed gives the same sequence again, and another seed another one", () => {
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
});

test("who draws from a branch does not move the sequence it was branched from", () => {
  const [one, other] = [createRandom(7), createRandom(7)];
  one.branch("elsewhere").next();
  expect(one.next()).toBe(other.next());
});
