import { ChainChecker } from "./audit-chain.ts";
import { type AuditRow, chainedEntry, columnsFit, type Ledger } from "./ledger.ts";
import type { LedgerHeads } from "./ledger-heads.ts";
import type { SignedHead } from "./signed-head.ts";

/** What a check of the whole ledger found. */
export interface LedgerFinding {
  readonly intact: boolean;
  /** Entries that hold. */
  readonly entries: bigint;
  /** The first that does not fit; 0 when intact. */
  readonly firstBadSequence: bigint;
  /** One sentence. */
  readonly finding: string;
}

/**
 * Recomputes the chain from its first entry and holds it against every head that was exported: a missing, altered or moved entry shows in the chain, a tail
 * that was cut off or rewritten shows in the heads.
 */
export async function verifyLedger(ledger: Ledger, heads: LedgerHeads, signal: AbortSignal): Promise<LedgerFinding> {
  const { valid, forged } = await heads.exported(signal);
  const chain = new ChainChecker();
  if (forged !== undefined)
    return bad(chain, forged.sequence, `The exported head of entry ${forged.sequence} is not signed by this service.`);
  const bySequence = Map.groupBy(valid, (head) => head.sequence);
  for await (const rows of ledger.read(0n)) {
    for (const row of rows) {
      const problem =
        chain.check(chainedEntry(row)) ?? relabelled(row) ?? disagreement(chain, bySequence.get(chain.sequence));
      if (problem !== undefined) return bad(chain, BigInt(row.sequence), problem);
    }
  }
  const beyond = valid
    .filter((head) => head.sequence > chain.sequence)
    .sort((a, b) => (a.sequence < b.sequence ? 1 : -1))[0];
  if (beyond !== undefined) {
    const first = chain.sequence + 1n;
    return bad(
      chain,
      first,
      `The ledger ends before entry ${first}, but a head of entry ${beyond.sequence} was signed.`,
    );
  }
  const finding = `All ${chain.sequence} entries hold, and so do ${valid.length} signed heads.`;
  return { intact: true, entries: chain.sequence, firstBadSequence: 0n, finding };
}

function relabelled(row: AuditRow): string | undefined {
  if (columnsFit(row)) return undefined;
  return `Entry ${row.sequence} was altered: who, what, where or when is not what its event says.`;
}

function disagreement(chain: ChainChecker, heads: readonly SignedHead[] | undefined): string | undefined {
  const other = heads?.find((head) => Buffer.compare(head.hash, chain.hash) !== 0);
  return other === undefined
    ? undefined
    : `Entry ${chain.sequence} is not the one whose hash was signed at ${new Date(other.signedAtMs).toISOString()}.`;
}

function bad(chain: ChainChecker, firstBadSequence: bigint, finding: string): LedgerFinding {
  return { intact: false, entries: chain.sequence, firstBadSequence, finding };
}
