import { readFile } from "node:fs/promises";

/** What a process and those it started have cost so far. */
export interface Usage {
  rssMiB: number;
  /** User and system time. */
  cpuMs: number;
  /** Handed to the block layer by write(2), as /proc/<pid>/io counts it. */
  writtenBytes: number;
}

/** Of a process and its descendants. Those that end meanwhile are not counted. */
export async function usageOf(pid: number): Promise<Usage> {
  const usages = await Promise.all((await family(pid)).map((member) => ownUsage(member).catch(() => NOTHING)));
  return usages.reduce((sum, one) => ({
    rssMiB: sum.rssMiB + one.rssMiB,
    cpuMs: sum.cpuMs + one.cpuMs,
    writtenBytes: sum.writtenBytes + one.writtenBytes,
  }));
}

const NOTHING: Usage = { rssMiB: 0, cpuMs: 0, writtenBytes: 0 };

async function family(pid: number): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  const families = await Promise.all(
    children
      .split(" ")
      .filter(Boolean)
      .map((child) => family(Number(child))),
  );
  return [pid, ...families.flat()];
}

/** A process alone. @throws when it is gone */
export async function ownUsage(pid: number): Promise<Usage> {
  const [status, stat, io] = await Promise.all(
    ["status", "stat", "io"].map((file) => readFile(`/proc/${pid}/${file}`, "utf8")),
  );
  // Fields 14 and 15 of proc(5) stat, in clock ticks of 10 ms; the name in field 2 may hold spaces.
  const fields = stat!.slice(stat!.lastIndexOf(")") + 2).split(" ");
  return {
    rssMiB: Number(/VmRSS:\s+(\d+)/.exec(status!)![1]) / 1024,
    cpuMs: (Number(fields[11]) + Number(fields[12])) * 10,
    writtenBytes: Number(/^write_bytes: (\d+)/m.exec(io!)![1]),
  };
}
