import { type AuditEntry, AuditEntrySchema } from "@aimass/api/auth";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { type AuditFilters, isWanted, periodOf } from "./audit-export.ts";

const all: AuditFilters = { actor: "", action: "", resource: "" };
const entry: AuditEntry = create(AuditEntrySchema, {
  actor: "user:ada",
  action: "alias.moved",
  resource: "default.m@live",
  occurredAt: timestampFromMs(Date.UTC(2026, 4, 4, 12)),
});

describe("an entry of the ledger that is exported", () => {
  it.each<[Partial<AuditFilters>, boolean]>([
    [{}, true],
    [{ actor: "user:ada" }, true],
    [{ actor: "user:bob" }, false],
    [{ action: "alias" }, true],
    [{ action: "alias.moved" }, true],
    [{ action: "ali" }, false],
    [{ resource: "default.m@live" }, true],
    [{ resource: "default.m" }, false],
    [{ from: "2026-05-04T12:00:00Z" }, true],
    [{ from: "2026-05-04T12:00:00.001Z" }, false],
    [{ until: "2026-05-04T12:00:00Z" }, false],
    [{ until: "2026-05-05" }, true],
    [{ from: "2026-05-04T14:00:00+02:00", until: "2026-05-04T12:00:01Z" }, true],
  ])("by %j is wanted: %s", (filters, wanted) => {
    expect(isWanted(entry, { ...all, ...filters })).toBe(wanted);
  });

  it.each(["yesterday", "5", "2026", "2026-13-01", "04.05.2026"])("by no time like %s", (from) => {
    expect(() => periodOf({ from })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});
