import { arch, cpus, release, totalmem, type } from "node:os";

/** One measured path. `limit` is what the machine allows, `peer` what somebody else reaches, both in the same run. */
export interface Row {
  id: string;
  value: number;
  unit: string;
  limit?: number;
  peer?: number;
  /** What limit and peer are, and what was counted. */
  note: string;
}

/** The limit and the peer of a rate are higher than it, of a time or a size lower: a ratio of 1 is always "as good". */
const ratio = (value: number, other: number | undefined, unit: string): number | null => {
  if (other === undefined) return null;
  return Number((unit.endsWith("/s") ? value / other : other / value).toFixed(3));
};

export const machine = `${cpus()[0]?.model.trim() ?? "?"} × ${cpus().length}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release()} ${arch()}, Node ${process.versions.node}`;

export function published(rows: Row[], at: string) {
  return rows.map(({ id, value, unit, limit = null, peer = null, note }) => ({
    id,
    value,
    unit,
    limit,
    ratioToLimit: ratio(value, limit ?? undefined, unit),
    peer,
    ratioToPeer: ratio(value, peer ?? undefined, unit),
    note,
    machine,
    at,
  }));
}

export function percentile(sorted: number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export const round = (value: number, digits = 1): number => Number(value.toFixed(digits));
