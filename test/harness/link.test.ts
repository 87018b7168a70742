import { expect, onTestFinished, test, vi } from "vitest";
import { Lane, type Weather } from "./link.js";

test("nothing overtakes what waits, though its time has come and its timer has not", async () => {
  const weather: Weather = { state: "OPEN", delayMs: 5, delayed: 0 };
  const lane = new Lane(weather);
  const arrived: string[] = [];
  lane.pass(() => arrived.push("first"));
  weather.delayMs = 0;
  for (const until = performance.now() + 10; performance.now() < until; );
  lane.pass(() => arrived.push("second"));
  await new Promise<void>((resolve) => lane.pass(resolve));
  expect(arrived).toEqual(["first", "second"]);
  expect(weather.delayed).toBe(1);
});

test("what waits while the path is half open is lost", () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const weather: Weather = { state: "OPEN", delayMs: 5, delayed: 0 };
  const lane = new Lane(weather);
  const arrived: string[] = [];
  lane.pass(() => arrived.push("before"));
  weather.state = "HALF_OPEN";
  lane.pass(() => arrived.push("meanwhile"));
  vi.advanceTimersByTime(20);
  Object.assign(weather, { state: "OPEN", delayMs: 0 });
  lane.pass(() => arrived.push("after"));
  expect(arrived).toEqual(["after"]);
});
