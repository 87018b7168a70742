import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parsePerfdata, parsePluginOutput } from "./perfdata.js";
import { NO_PERFDATA, PERFDATA } from "./testing/perfdata-texts.js";

describe("perfdata", () => {
  test.each(PERFDATA)("%s is read", (text, data) => {
    expect(parsePerfdata(text)).toEqual(data);
  });

  test.each(NO_PERFDATA)("%j gives no metric", (text) => {
    expect(parsePerfdata(text)).toEqual([]);
  });

  test("behind the first malformed datum nothing is guessed", () => {
    expect(parsePerfdata("a=1 b=1,5 c=3").map(({ label }) => label)).toEqual(["a"]);
  });

  test("every well-formed datum comes back as it was written", () => {
    const label = fc.string({ minLength: 1, maxLength: 20 }).filter((text) => !/[\n\r]/.test(text));
    const value = fc.double({ noNaN: true, noDefaultInfinity: true });
    const unit = fc.constantFrom("", "s", "ms", "%", "B", "KB", "c");
    fc.assert(
      fc.property(fc.array(fc.record({ label, value, unit }), { maxLength: 8 }), (data) => {
        const text = data.map((one) => `'${one.label.replaceAll("'", "''")}'=${one.value}${one.unit};1:2;@3`).join(" ");
        const expected = data.map((one) => ({ ...one, value: one.value + 0, warn: "1:2", crit: "@3" }));
        expect(parsePerfdata(text).map((one) => ({ ...one, value: (one.value ?? 0) + 0 }))).toEqual(expected);
      }),
    );
  });

  test("whatever is read has a finite number or U, for any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."ab'=|;:.,0129eEU%- \n".split("")), maxLength: 60 }), (text) => {
        for (const { label, value } of parsePluginOutput(text).perfdata) {
          expect(label).not.toBe("");
          expect(value === null || Number.isFinite(value)).toBe(true);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test("a hostile megabyte is read in linear time", () => {
    for (const piece of ["'", "''", "'a", "a=", "a ", "=", "a=1 ", "a=1e"]) parsePerfdata(piece.repeat(300_000));
  });
});

describe("a plugin's output", () => {
  test("is text, long text and perfdata of both places", () => {
    const output = parsePluginOutput(
      "DISK OK - free space: / 3326 MB | /=2643MB;5948;5958;0;5968\n/ 15272 MB (77%);\n/boot 68 MB | /boot=68MB\n/home=69357MB\n",
    );
    expect(output.text).toBe("DISK OK - free space: / 3326 MB");
    expect(output.longText).toBe("/ 15272 MB (77%);\n/boot 68 MB");
    expect(output.perfdata.map(({ label, value }) => [label, value])).toEqual([
      ["/", 2643],
      ["/boot", 68],
      ["/home", 69357],
    ]);
  });

  test("that is a usage text with a bar gives no metric", () => {
    expect(parsePluginOutput("Usage: check_x [-H host|--port=80] | -h\n -t N | --timeout=10").perfdata).toEqual([]);
  });

  test("may end its lines like Windows does", () => {
    expect(parsePluginOutput("OK | a=1\r\nlong\r\n").perfdata).toEqual([{ label: "a", value: 1, unit: "" }]);
  });

  test("may be nothing", () => {
    expect(parsePluginOutput("")).toEqual({ text: "", longText: "", perfdata: [] });
  });
});
