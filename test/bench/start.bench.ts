import { startServerProcess } from "../harness/server-process.js";
import { type Row, round } from "./row.js";

/** From the start of the process to "ready": with a new data folder, and with one that is there. */
export async function start(): Promise<Row[]> {
  const coldStart = performance.now();
  await using server = await startServerProcess();
  const cold = (performance.now() - coldStart) / 1000;
  await server.stop();
  const warmStart = performance.now();
  await server.start();
  const warm = (performance.now() - warmStart) / 1000;
  return [
    { id: "start.cold", value: round(cold, 2), unit: "s", note: "initdb, migrations, server ready" },
    { id: "start.warm", value: round(warm, 2), unit: "s", note: "the data folder is there" },
  ];
}
