import { type LibraryService, ServableModelSchema } from "@aimass/api/registry";
import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Gate } from "../gate.ts";
import type { Library } from "../models/library.ts";
import { encodeAlias } from "./encode-model.ts";

/** Services that place and load models. */
const readers = ["scheduler", "inference"] as const;

export function libraryRpc({ gate, library }: { gate: Gate; library: Library }): ServiceImpl<typeof LibraryService> {
  return {
    async listServable(_request, context) {
      gate.service(context, readers);
      const models = await library.servable();
      return {
        models: models.map(({ project, name, aliases, versions }) =>
          create(ServableModelSchema, { project, name, aliases: aliases.map(encodeAlias), versions: [...versions] }),
        ),
      };
    },
  };
}
