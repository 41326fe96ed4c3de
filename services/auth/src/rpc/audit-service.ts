import { type AuditEntry, AuditEntrySchema, type AuditService } from "@aimass/api/auth";
import { create } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { AuditRow, Ledger } from "../audit/ledger.ts";
import type { LedgerHeads } from "../audit/ledger-heads.ts";
import { encodeHead } from "../audit/signed-head.ts";
import { verifyLedger } from "../audit/verify-ledger.ts";
import { readPage, toPage } from "../page.ts";
import { type Guard, requirePlatform } from "./context.ts";

export interface AuditServiceOptions {
  readonly guard: Guard;
  readonly ledger: Ledger;
  readonly heads: LedgerHeads;
}

export function createAuditService({ guard, ledger, heads }: AuditServiceOptions): ServiceImpl<typeof AuditService> {
  return {
    async listEntries(request, context) {
      requirePlatform(guard, context, "audit.read");
      const { actor, action, resource } = request;
      const page = readPage(context, request);
      const filter = { actor, action, resource, from: dateOf(request.from), until: dateOf(request.until) };
      const { rows, info } = toPage(await ledger.list(filter, page), page, (row) => row.sequence);
      return { entries: rows.map(encodeEntry), page: info };
    },
    async *exportEntries(request, context) {
      requirePlatform(guard, context, "audit.read");
      for await (const rows of ledger.read(request.afterSequence)) {
        if (context.signal.aborted) return;
        yield { entries: rows.map(encodeEntry) };
      }
    },
    async getHead(_request, context) {
      requirePlatform(guard, context, "audit.read");
      // A head that somebody holds is one the ledger is held against from then on.
      await heads.export();
      return { head: encodeHead(await heads.signed()) };
    },
    async verifyLedger(_request, context) {
      requirePlatform(guard, context, "audit.read");
      const finding = await verifyLedger(ledger, heads, context.signal);
      return { ...finding, head: encodeHead(await heads.signed()) };
    },
  };
}

function encodeEntry(row: AuditRow): AuditEntry {
  return create(AuditEntrySchema, {
    sequence: BigInt(row.sequence),
    eventId: row.event_id,
    occurredAt: timestampFromDate(row.occurred_at),
    actor: row.actor,
    action: row.action,
    resource: row.resource,
    payload: new Uint8Array(row.payload),
    previousHash: new Uint8Array(row.previous_hash),
    hash: new Uint8Array(row.hash),
  });
}

function dateOf(timestamp: Timestamp | undefined): Date | undefined {
  return timestamp === undefined ? undefined : timestampDate(timestamp);
}
