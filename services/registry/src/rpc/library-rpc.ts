import {
  type LibraryService,
  type ListServableResponse,
  ListServableResponseSchema,
  type ServableModel,
  ServableModelSchema,
  VersionSchema,
} from "@aimass/api/registry";
import { create, toBinary } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Gate } from "../gate.ts";
import type { Library, Servable } from "../models/library.ts";
import { encodeAlias } from "./encode-model.ts";

/** Services that place models. */
const readers = ["scheduler"] as const;

/** A message is sent once it has as much. */
const fullMessageBytes = 1024 * 1024;

export function libraryRpc({ gate, library }: { gate: Gate; library: Library }): ServiceImpl<typeof LibraryService> {
  return {
    async *listServable({ known }, context) {
      gate.service(context, readers);
      yield* inMessages(library.changes(new Map(Object.entries(known))));
    },
  };
}

/** Small models share a message, large ones are cut. */
async function* inMessages(changes: AsyncGenerator<Servable, readonly string[]>): AsyncGenerator<ListServableResponse> {
  let models: ServableModel[] = [];
  let bytes = 0;
  try {
    for (;;) {
      const next = await changes.next();
      if (next.done === true) {
        yield create(ListServableResponseSchema, { models, removed: [...next.value], complete: true });
        return;
      }
      const { versions, ...rest } = next.value;
      let part: ServableModel | undefined;
      for (const version of versions) {
        if (part === undefined) {
          part = encode(rest);
          models.push(part);
        }
        part.versions.push(version);
        bytes += toBinary(VersionSchema, version).byteLength;
        if (bytes < fullMessageBytes) continue;
        yield create(ListServableResponseSchema, { models });
        models = [];
        part = undefined;
        bytes = 0;
      }
    }
  } finally {
    await changes.return([]);
  }
}

function encode({ project, model, revision, aliases }: Omit<Servable, "versions">): ServableModel {
  return create(ServableModelSchema, { project, name: model, revision, aliases: aliases.map(encodeAlias) });
}
