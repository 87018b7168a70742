import { SPELL_ENDS, type SpellEnd } from "../../harness/never-reader.js";
import { SPOOL_BYTES } from "../processes.js";
import type { Peaks } from "../watch.js";
import type { World } from "../world.js";
import type { Check } from "./check.js";

const MIB = 2 ** 20;
/** A spool drops whole segments after it wrote, so it may be over by one. */
const SEGMENT_BYTES = MIB;
/**
 * 150 MiB of code and heap at rest, 16 MiB of remembered pages, 1 MiB for each subscription that is behind, of which a
 * storm of 300 has a tenth at once, 2 × 16 MiB for batches and answers of a flooding agent, and half of it again for what
 * waits to be collected.
 */
const SERVER_BYTES = 350 * MIB;
/** By then the log is longer than what fits into the kernel's buffers. */
const PATIENCE = 4;
const AGENT_BYTES = 200 * MIB;

/** Spools keep to their size and say what they dropped; memory stays bounded. */
export const boundsCheck =
  (peaks: Peaks): Check =>
  async (world) => {
    const gaps = await gapsOf(world);
    const dropped = gaps.reduce((sum, gap) => sum + gap.results, 0);
    const ended = (end: SpellEnd) => world.neverReaders.reduce((sum, { ends }) => sum + ends[end], 0);
    const cutOffs = ended("SLOW_CONSUMER") + ended("TERMINATED");
    const mib = (bytes: number) => `${Math.round(bytes / MIB)} MiB`;
    const over = (what: string, seen: number, allowed: number) =>
      seen > allowed ? [`${what} ${mib(seen)}; the bound is ${mib(allowed)}`] : [];
    return {
      verified: `readers that never read: ${SPELL_ENDS.map((end) => `${ended(end)} × ${end}`).join(", ")}; server at most ${mib(peaks.server)}, agent ${mib(peaks.agent)}, spool ${mib(peaks.spool)}; ${gaps.length} gaps told, ${dropped} results`,
      violations: [
        ...world.neverReaders.flatMap(({ violations }) => violations.splice(0)),
        ...(cutOffs === 0 && ended("LEFT_IN_PEACE") >= PATIENCE
          ? [`readers that never read stayed connected ${ended("LEFT_IN_PEACE")} times, and were never cut off`]
          : []),
        ...over("a server had", peaks.server, SERVER_BYTES),
        ...over("an agent had", peaks.agent, AGENT_BYTES),
        ...over("a spool had", peaks.spool, SPOOL_BYTES + SEGMENT_BYTES + MIB / 4),
        ...gaps
          .filter(({ reason }) => reason !== "BYTES")
          .map(
            ({ agent, from, to, reason }) =>
              `${agent} gave up ${from} to ${to} as ${reason}, and nothing of the kind happened`,
          ),
      ],
    };
  };

const gapsOf = ({ database }: World) =>
  database.query<{ agent: string; from: number; to: number; reason: string; results: number }>(
    `SELECT a.name AS agent, from_seq::int AS "from", to_seq::int AS "to", reason, (to_seq - from_seq + 1)::int AS results
     FROM spool_gaps g JOIN agents a ON a.id = g.agent_id`,
  );
