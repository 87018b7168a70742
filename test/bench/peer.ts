import { access } from "node:fs/promises";
import { type Load, startLoad } from "./load-process.js";
import type { Peer } from "./row.js";

/** A peer written in JavaScript: a module of `test/bench/peers`, which is a project of its own. */
export const startPeer = <Input extends object, Output>(name: string, input: Input): Load<Output> =>
  startLoad<Input, Output>(new URL(`../../bench/peers/${name}.mjs`, import.meta.url), input);

/** A value, or why there is none. */
export interface Measured<T> {
  value?: T;
  why?: string;
}

/** Measures a peer. One that is absent, or fails, costs the row its comparison and no more. */
export async function measured<T>(measure: () => Promise<T>): Promise<Measured<T>> {
  try {
    return { value: await measure() };
  } catch (error) {
    return { why: (error as Error).message.split("\n")[0]! };
  }
}

/** One figure of what was measured of a peer. */
export const peerOf = <T>(name: string, { value, why }: Measured<T>, figure: (value: T) => number): Peer => ({
  name,
  value: value === undefined ? undefined : figure(value),
  why,
});

/** @throws when a program of `scripts/bench-packages.sh` is not there */
export async function installed(path: string): Promise<string> {
  await access(path).catch(() => {
    throw new Error(`not installed (scripts/bench-packages.sh installs ${path})`);
  });
  return path;
}
