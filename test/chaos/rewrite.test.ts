import { expect, test } from "vitest";
import { rewrite } from "./rewrite.js";

const edit = { module: "a.js", find: "commit();", replace: "reached(); commit();" };

test("an anchor is replaced where it stands", () => {
  expect(rewrite("begin(); commit(); end();", [edit])).toBe("begin(); reached(); commit(); end();");
});

test("an anchor that is gone, or is there twice, is an error that names it: the list cannot rot", () => {
  expect(() => rewrite("begin();", [edit])).toThrow('a.js holds "commit();" 0 times, not once');
  expect(() => rewrite("commit(); commit();", [edit])).toThrow('a.js holds "commit();" 2 times, not once');
});
