import { DataReadSchema } from "@aimass/api/events";
import type { Store } from "@aimass/store";
import { create } from "@bufbuild/protobuf";
import type { Database } from "../database.ts";
import type { Journal } from "../journal.ts";
import type { WriteReads } from "./read-audit.ts";

/** Reads as audited events. */
export function readsTo(journal: Journal, store: Store<Database>): WriteReads {
  return (reads) =>
    store.withTransaction(async (tx) => {
      for (const { principal, resource, sha256, preview, allowed } of reads) {
        const value = create(DataReadSchema, { sha256: Buffer.from(sha256, "hex"), preview, allowed });
        await journal(tx, {
          actor: { id: principal },
          resource,
          audited: true,
          payload: { case: "dataRead", value },
        });
      }
    });
}
