import type { FakeContainer } from "../../harness/fake-engine.js";
import { policyOf } from "../probes.js";
import type { World } from "../world.js";
import type { Check } from "./check.js";

/** Clocks of one machine; the server decides before an act begins. */
const SLACK_MS = 100;

/** Policy again, from nothing but what was configured and the engines' own record of what was done to their containers. */
export const acts: Check = async ({ hosts }: World) => {
  const found = hosts.flatMap(({ name, engine }, i) => {
    const containers = [...engine.containers.values()];
    return [...containers.flatMap((one) => ofContainer(name, one, i)), ...together(name, containers, i)];
  });
  const count = hosts.flatMap(({ engine }) => [...engine.containers.values()]).flatMap((one) => one.acts).length;
  return { verified: `${count} restarts of containers, by their engines' clocks`, violations: found };
};

function ofContainer(host: string, { name, acts }: FakeContainer, i: number): string[] {
  const { cooldownMs, windowMs, input } = policyOf(i);
  const tooClose = (distance: number, ms: number, rule: string) =>
    acts.flatMap(({ began }, nr) => {
      const earlier = acts[nr - distance];
      if (!earlier || began - earlier.began >= ms - SLACK_MS) return [];
      const passed = Math.round(began - earlier.began);
      return [`${host}: restart ${nr + 1} of ${name} came ${passed} ms after restart ${nr + 1 - distance}; ${rule}`];
    });
  return [
    ...tooClose(1, cooldownMs, `the cooldown is ${cooldownMs} ms`),
    ...tooClose(input.maxAttempts, windowMs, `${input.maxAttempts} may be within ${windowMs} ms`),
  ];
}

function together(host: string, containers: FakeContainer[], i: number): string[] {
  const { atOnce } = policyOf(i);
  const all = containers.flatMap(({ acts }) => acts);
  return all.flatMap(({ began }) => {
    const busy = all.filter((other) => other.began <= began && other.ended > began).length;
    return busy > atOnce ? [`${host}: ${busy} containers were restarted at once; ${atOnce} may be`] : [];
  });
}
