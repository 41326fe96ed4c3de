import { type AuditEntry, AuditService } from "@aimass/api/auth";
import { EventSchema } from "@aimass/api/events";
import { AimassError } from "@aimass/core";
import { fromBinary, toJson } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { Output } from "../output/output.ts";
import { wholeNumber } from "../training/arguments.ts";
import { action } from "./context.ts";

/** Which entries somebody wants to see. */
export interface AuditFilters {
  readonly actor: string;
  readonly action: string;
  readonly resource: string;
  readonly from?: string;
  readonly until?: string;
}

/** Adds the options that choose entries. */
export function withAuditFilters(command: Command): Command {
  return command
    .option("--actor <name>", '"user:ada"', "")
    .option("--action <name>", '"alias" or "alias.moved"', "")
    .option("--resource <name>", '"default.fraud@default"', "")
    .option("--from <time>", "not before: 2026-05-04 or 2026-05-04T12:30:00Z")
    .option("--until <time>", "only before this");
}

/** The moments that --from and --until name. Errors: INVALID_ARGUMENT. */
export function periodOf({ from, until }: Pick<AuditFilters, "from" | "until">): {
  from?: Timestamp;
  until?: Timestamp;
} {
  return {
    ...(from === undefined ? {} : { from: moment("--from", from) }),
    ...(until === undefined ? {} : { until: moment("--until", until) }),
  };
}

/** Whether an entry is one of those: what the service does for a list, for a stream that has no filter. */
export function isWanted(entry: AuditEntry, filters: AuditFilters): boolean {
  const { from, until } = periodOf(filters);
  const at = entry.occurredAt === undefined ? 0 : timestampMs(entry.occurredAt);
  return (
    (filters.actor === "" || entry.actor === filters.actor) &&
    (filters.resource === "" || entry.resource === filters.resource) &&
    (filters.action === "" || entry.action === filters.action || entry.action.startsWith(`${filters.action}.`)) &&
    (from === undefined || at >= timestampMs(from)) &&
    (until === undefined || at < timestampMs(until))
  );
}

/** `audit export`. */
export function addAuditExport(audit: Command): void {
  withAuditFilters(
    audit
      .command("export")
      .description("entries as JSON Lines, oldest first, each with its event and the hashes of the chain")
      .option("--after <sequence>", "only what came after this entry", "0"),
  ).action(
    action<AuditFilters & { after: string }>(async ({ connection }, options) => {
      const afterSequence = BigInt(wholeNumber("--after", options.after));
      periodOf(options);
      const client = connection.client(AuditService);
      const lines = new Output({ json: true });
      for await (const { entries } of client.exportEntries({ afterSequence }, { timeoutMs: 0 }))
        for (const entry of entries.filter((each) => isWanted(each, options))) {
          const line = { ...entry, event: toJson(EventSchema, fromBinary(EventSchema, entry.payload)) };
          lines.line(line, "");
        }
    }),
  );
}

const written = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/;

/** A day begins at midnight UTC; a time without an offset is local. */
function moment(option: string, text: string): Timestamp {
  const ms = written.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms))
    throw new AimassError("INVALID_ARGUMENT", `${option} is "${text}".`, {
      remedy: "Give a day or a time like 2026-05-04 or 2026-05-04T12:30:00Z.",
    });
  return timestampFromMs(ms);
}
