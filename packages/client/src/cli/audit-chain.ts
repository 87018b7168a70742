import { createHash } from "node:crypto";

/** A line of an export: the header that says where it begins, or a record. */
export type Link = { after: string; hash: string } | { seq: string; body: string; hash: string };

export interface Verdict {
  /** How many records are proven. */
  verified: number;
  last?: { seq: string; hash: string };
  /** The first record, when nothing says what came before it. */
  trusted?: string;
  broken?: { seq: string; reason: string };
}

/**
 * Follows the chain: each hash is the hex SHA-256 of the hash before it and the record's body, in UTF-8, and each `seq`
 * is one more than the one before. Stops at the first record for which this does not hold.
 */
export async function verifyChain(links: AsyncIterable<Link> | Iterable<Link>, genesis?: string): Promise<Verdict> {
  const verdict: Verdict = { verified: 0 };
  let before: { seq: string; hash: string } | undefined;
  for await (const link of links) {
    if ("after" in link) {
      before ??= { seq: link.after, hash: genesis ?? link.hash };
      continue;
    }
    const { seq, hash } = link;
    before ??= beginning(seq, genesis);
    if (before) {
      const reason = fault(before, link);
      if (reason) return { ...verdict, broken: { seq, reason } };
      verdict.verified++;
    } else {
      verdict.trusted = seq;
    }
    before = { seq, hash };
    verdict.last = before;
  }
  return verdict;
}

/** The first record there ever was follows the empty hash. */
const beginning = (seq: string, genesis = seq === "1" ? "" : undefined) =>
  genesis === undefined ? undefined : { seq: String(BigInt(seq) - 1n), hash: genesis };

function fault(
  before: { seq: string; hash: string },
  { seq, body, hash }: { seq: string; body: string; hash: string },
): string | undefined {
  if (BigInt(seq) !== BigInt(before.seq) + 1n) return `it follows seq ${before.seq}; records between them are missing`;
  const expected = createHash("sha256").update(before.hash).update(body).digest("hex");
  return expected === hash ? undefined : `its hash is ${hash}, its content gives ${expected}`;
}
