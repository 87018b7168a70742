import fc from "fast-check";
import { expect, test } from "vitest";
import { alerts, parseRange } from "./range.js";
import { NO_RANGES, RANGES } from "./testing/ranges.js";

const alertsOn = (range: string, value: number): boolean => {
  const parsed = parseRange(range);
  if (!parsed) throw new Error(`${range} is no range`);
  return alerts(value, parsed);
};

test.each(RANGES)("%s alerts on %j and not on %j", (range, alerting, quiet) => {
  for (const value of alerting) expect(alertsOn(range, value), String(value)).toBe(true);
  for (const value of quiet) expect(alertsOn(range, value), String(value)).toBe(false);
});

test.each(NO_RANGES)("%j is no range", (text) => {
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
