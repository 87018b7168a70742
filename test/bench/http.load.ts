import { Pool } from "undici";
import { load } from "./load-process.js";
import { percentile } from "./row.js";

export interface HttpInput {
  url: string;
  headers?: Record<string, string>;
  /** Each connection sends one after the other; together they go through the list. */
  bodies: string[];
  connections: number;
  /** Absent: once through the list. With it, the list begins again at its end. */
  seconds?: number;
  /** Before the seconds, and not measured. */
  warmUpMs: number;
  /** An answer without this text is an error. */
  expected: string;
}

export interface HttpOutput {
  perSecond: number;
  p50: number;
  p99: number;
  /** One of the answers. */
  sample: string;
}

load<HttpInput, HttpOutput>(async ({ url, headers, bodies, connections, warmUpMs, seconds, expected }) => {
  const { origin, pathname } = new URL(url);
  const pool = new Pool(origin, { connections, pipelining: 1 });
  const from = performance.now() + (seconds === undefined ? 0 : warmUpMs);
  const goesOn = () => (seconds === undefined ? next < bodies.length : performance.now() < from + seconds * 1000);
  const times: number[] = [];
  let next = 0;
  let sample = "";
  const sendOne = async () => {
    const started = performance.now();
    const { statusCode, body } = await pool.request({
      path: pathname,
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: bodies[next++ % bodies.length]!,
    });
    sample = await body.text();
    if (started >= from) times.push(performance.now() - started);
    if (statusCode !== 200 || !sample.includes(expected))
      throw new Error(`${url} answered ${statusCode}: ${sample.slice(0, 300)}`);
  };
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (goesOn()) await sendOne();
    }),
  );
  const elapsed = (performance.now() - from) / 1000;
  times.sort((a, b) => a - b);
  await pool.close();
  return { perSecond: times.length / elapsed, p50: percentile(times, 0.5), p99: percentile(times, 0.99), sample };
});
