import fc from "fast-check";
import { expect, test } from "vitest";
import { clip } from "./clip.js";

test("colours and control characters go, lines and tabs stay", () => {
  expect(clip("\u001b[31mred\u001b[0m\r\n\ta\0b\u0007", 100)).toBe("red\n\tab");
});

test("a character of two units is not cut in half", () => {
  expect(clip("ab😀", 3)).toBe("ab");
  expect(clip("ab😀", 4)).toBe("ab😀");
});

test("the JSON of any clipped text is at most twice as long, with its quotes", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 300 }), fc.nat({ max: 300 }), (text, max) => {
      expect(JSON.stringify(clip(text, max)).length).toBeLessThanOrEqual(2 * max + 2);
    }),
  );
});
