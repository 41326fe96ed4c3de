import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { type AuditEntry, type AuditHead, AuditService, type ListEntriesRequestSchema } from "@aimass/api/auth";
import { EventSchema } from "@aimass/api/events";
import { AimassError } from "@aimass/core";
import { fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { verifyAuditHead } from "../client/audit-head.ts";
import type { Connection } from "../client/connection.ts";
import { time } from "../output/format.ts";
import { table } from "../output/output.ts";
import { wholeNumber } from "../training/arguments.ts";
import { type AuditFilters, addAuditExport, periodOf, withAuditFilters } from "./audit-export.ts";
import { action } from "./context.ts";

export function addAudit(program: Command): void {
  const audit = program.command("audit").description("the audit ledger: list, export, verify");
  withAuditFilters(
    audit
      .command("list")
      .description("what was done, newest first")
      .option("-n, --count <n>", "at most this many", "50"),
  ).action(
    action<AuditFilters & { count: string }>(async ({ connection, output }, options) => {
      const { actor, action, resource } = options;
      const filter = { actor, action, resource, ...periodOf(options) };
      const count = wholeNumber("--count", options.count, 1);
      const entries = await newestEntries(connection, filter, count);
      output.result(entries, () =>
        table(
          ["#", "WHEN", "WHO", "WHAT", "WHERE"],
          entries.map((e) => [String(e.sequence), time(e.occurredAt), e.actor, e.action, e.resource]),
        ),
      );
    }),
  );
  addAuditExport(audit);
  audit
    .command("verify")
    .description("fetch the whole ledger and check its chain and its signed head here, trusting the server for nothing")
    .option("--head <file>", "also check that a head kept earlier is still part of the chain; written when missing")
    .action(
      action<{ head?: string }>(async ({ connection, output }, options) => {
        const client = connection.client(AuditService);
        const { head } = await client.getHead({});
        const kept = options.head === undefined ? undefined : readHead(options.head);
        const chain = new Chain();
        let keptSeen = kept === undefined;
        for await (const { entries } of client.exportEntries({}, { timeoutMs: 0 })) {
          for (const entry of entries) {
            chain.add(entry);
            if (kept !== undefined && entry.sequence === BigInt(kept.sequence)) {
              if (Buffer.from(entry.hash).toString("hex") !== kept.hash)
                throw broken(entry.sequence, "its hash is not the one of the head kept earlier");
              keptSeen = true;
            }
          }
        }
        if (!keptSeen) throw broken(BigInt(kept?.sequence ?? 0), "the entry of the head kept earlier is missing");
        await checkHead(connection, chain, head);
        const server = await client.verifyLedger({});
        if (!server.intact) throw broken(server.firstBadSequence, server.finding);
        if (options.head !== undefined && head !== undefined)
          writeFileSync(
            options.head,
            JSON.stringify({ sequence: head.sequence.toString(), hash: Buffer.from(head.hash).toString("hex") }),
          );
        output.result(
          { intact: true, entries: chain.sequence, head: Buffer.from(chain.hash).toString("hex") },
          () =>
            `The ledger is intact: ${chain.sequence} entries, head ${Buffer.from(chain.hash).toString("hex").slice(0, 16)}….`,
        );
      }),
    );
}

/** As many entries as are wanted, over as many pages as they take. */
async function newestEntries(
  connection: Connection,
  filter: Omit<MessageInitShape<typeof ListEntriesRequestSchema>, "page" | "$typeName">,
  count: number,
): Promise<AuditEntry[]> {
  const found: AuditEntry[] = [];
  let token = "";
  do {
    const size = Math.min(count - found.length, 1000);
    const answer = await connection.client(AuditService).listEntries({ ...filter, page: { size, token } });
    found.push(...answer.entries);
    token = answer.page?.nextToken ?? "";
  } while (token !== "" && found.length < count);
  return found;
}

/** Recomputes the chain: hash = SHA-256(previous_hash ‖ sequence as 8 bytes big-endian ‖ payload). */
class Chain {
  sequence = 0n;
  hash: Uint8Array = new Uint8Array(32);
  readonly byHash = new Set<string>();

  add(entry: AuditEntry): void {
    if (entry.sequence !== this.sequence + 1n) throw broken(this.sequence + 1n, "it is missing");
    const number = Buffer.alloc(8);
    number.writeBigUInt64BE(entry.sequence);
    const hash = createHash("sha256").update(this.hash).update(number).update(entry.payload).digest();
    if (!Buffer.from(entry.previousHash).equals(this.hash))
      throw broken(entry.sequence, "it does not follow the entry before it");
    if (!hash.equals(entry.hash)) throw broken(entry.sequence, "its content does not fit its hash");
    if (!fieldsFit(entry)) throw broken(entry.sequence, "who, where or when is not what its event says");
    this.sequence = entry.sequence;
    this.hash = hash;
    this.byHash.add(`${entry.sequence}:${hash.toString("hex")}`);
  }
}

/** Whether the fields that people read say what the chained event says. */
function fieldsFit(entry: AuditEntry): boolean {
  const event = fromBinary(EventSchema, entry.payload);
  return (
    event.id === entry.eventId &&
    event.actor === entry.actor &&
    event.resource === entry.resource &&
    millisecondsOf(event.occurredAt) === millisecondsOf(entry.occurredAt)
  );
}

function millisecondsOf(timestamp: Timestamp | undefined): number {
  return timestamp === undefined ? 0 : timestampMs(timestamp);
}

async function checkHead(
  connection: Parameters<typeof verifyAuditHead>[0],
  chain: Chain,
  head: AuditHead | undefined,
): Promise<void> {
  if (head === undefined || head.sequence === 0n) return;
  if (!chain.byHash.has(`${head.sequence}:${Buffer.from(head.hash).toString("hex")}`))
    throw broken(head.sequence, "the signed head is not part of the chain");
  await verifyAuditHead(connection, head);
}

function readHead(file: string): { sequence: string; hash: string } | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as { sequence: string; hash: string };
  } catch {
    return undefined;
  }
}

function broken(sequence: bigint, finding: string): AimassError {
  return new AimassError("DATA_LOSS", `The ledger is NOT intact at entry ${sequence}: ${finding}.`, {
    remedy: "Compare with a backup and with heads kept elsewhere.",
  });
}
