import fc from "fast-check";
import { expect, test } from "vitest";
import { alerts, parseRange } from "./range.js";

const alertsOn = (range: string, value: number): boolean => {
  const parsed = parseRange(range);
  if (!parsed) throw new Error(`${range} is no range`);
  return alerts(value, parsed);
};

// The table of the Nagios plugin guidelines, with the ends.
test.each([
  ["10", [-0.1, 10.1], [0, 5, 10]],
  ["10:", [9.9, -100], [10, 1e9]],
  ["~:10", [10.1], [-1e9, 10]],
  ["10:20", [9.9, 20.1], [10, 15, 20]],
  ["@10:20", [10, 15, 20], [9.9, 20.1]],
  ["@10", [0, 10], [-1, 11]],
  ["-5:-1", [-6, 0], [-5, -1]],
  ["1e3:", [999], [1000]],
  ["0.5", [0.6], [0.5]],
  ["~:", [], [-1e300, 0, 1e300]],
  [":10", [-1, 11], [0, 10]],
])("%s alerts on %j and not on %j", (range, alerting, quiet) => {
  for (const value of alerting) expect(alertsOn(range, value), String(value)).toBe(true);
  for (const value of quiet) expect(alertsOn(range, value), String(value)).toBe(false);
});

test.each([
  "",
  ":",
  "@",
  "~",

  "20:10",
  "1,5",
  "a",
  "10:20:30",
  "10 ",
  "@@1",
  "5:~",
  "1e",
  "--1",
  "NaN",
  "Infinity",
])("%j is no range", (text) => {
  expect(parseRange(text)).toBeUndefined();
});

test("inside and outside are opposites for every value and every range", () => {
  const number = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 });
  fc.assert(
    fc.property(number, number, number, (a, b, value) => {
      const text = `${Math.min(a, b)}:${Math.max(a, b)}`;
      expect(alertsOn(text, value)).toBe(!(value >= Math.min(a, b) && value <= Math.max(a, b)));
      expect(alertsOn(`@${text}`, value)).toBe(!alertsOn(text, value));
    }),
  );
});

test("any text is a range or none, without a failure", () => {
  fc.assert(fc.property(fc.string(), (text) => void parseRange(text)));
});
