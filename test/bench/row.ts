import { arch, cpus, release, totalmem, type } from "node:os";

/** Another system on the same load in the same run; `value` is absent where it could not be measured, and `why` says so. */
export interface Peer {
  name: string;
  value?: number;
  why?: string;
}

/** One measured path. `limit` is what the machine allows, `peers` what others reach, all in the same run. */
export interface Row {
  id: string;
  value: number;
  unit: string;
  limit?: number;
  peers?: Peer[];
  /** What was counted, and what the limit is. */
  note: string;
}

/** A row as `latest.json` holds it. A ratio of 1 is "as good as", and more is better, also where less of the unit is. */
export interface PublishedRow {
  id: string;
  value: number;
  unit: string;
  limit: number | null;
  ratioToLimit: number | null;
  /** The best of the peers. */
  peer: number | null;
  ratioToPeer: number | null;
  note: string;
  machine: string;
  at: string;
}

export const machine = `${cpus()[0]?.model.trim() ?? "?"} × ${cpus().length}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release()} ${arch()}, Node ${process.versions.node}`;

export function publish({ id, value, unit, limit, peers = [], note }: Row, at: string): PublishedRow {
  const peer = bestOf(peers, unit);
  return {
    id,
    value,
    unit,
    limit: limit ?? null,
    ratioToLimit: ratio(value, limit, unit),
    peer: peer ?? null,
    ratioToPeer: ratio(value, peer, unit),
    note: [note, ...peers.map(described)].join("; "),
    machine,
    at,
  };
}

/** Of a rate more is better, of a time or a size less. */
const isRate = (unit: string): boolean => unit.endsWith("/s");

function ratio(value: number, other: number | undefined, unit: string): number | null {
  if (other === undefined) return null;
  const quotient = isRate(unit) ? value / other : other / value;
  return Number.isFinite(quotient) ? Number(quotient.toPrecision(3)) : null;
}

function bestOf(peers: Peer[], unit: string): number | undefined {
  const values = peers.flatMap(({ value }) => value ?? []);
  if (values.length === 0) return undefined;
  return isRate(unit) ? Math.max(...values) : Math.min(...values);
}

const described = ({ name, value, why }: Peer): string =>
  `${name} ${value === undefined ? `not measured: ${why}` : value.toLocaleString("en")}`;

export function percentile(sorted: number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export const round = (value: number, digits = 1): number => Number(value.toFixed(digits));
