import { type AliasMove, AliasMoveSchema, type AliasService } from "@aimass/api/registry";
import { readPage } from "@aimass/rpc";
import { create } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Aliases, AliasMoveRow } from "../aliases/aliases.ts";
import type { Gate } from "../gate.ts";
import { pageInfo } from "../pages.ts";

export function aliasRpc({ gate, aliases }: { gate: Gate; aliases: Aliases }): ServiceImpl<typeof AliasService> {
  return {
    async moveAlias(request, context) {
      const { actor, project, model } = await gate.model(context, request, "alias.move");
      const { version, expectedVersion: expected, reason } = request;
      const name = { project, model, alias: request.alias };
      return { move: encode(await aliases.move(actor, name, { version, expected, reason })) };
    },
    async rollbackAlias(request, context) {
      const { actor, project, model } = await gate.model(context, request, "alias.move");
      const { expectedVersion: expected, reason } = request;
      const name = { project, model, alias: request.alias };
      return { move: encode(await aliases.rollback(actor, name, { expected, reason })) };
    },
    async deleteAlias(request, context) {
      const { actor, project, model } = await gate.model(context, request, "alias.move");
      const { expectedVersion: expected, reason } = request;
      await aliases.remove(actor, { project, model, alias: request.alias }, { expected, reason });
      return {};
    },
    async listAliasMoves(request, context) {
      const name = await gate.model(context, { project: request.project, model: request.model }, "model.view");
      const alias = request.alias === "" ? undefined : request.alias;
      if (request.at !== undefined) {
        const rows = await aliases.inForce(name, alias, timestampDate(request.at));
        return { moves: rows.map(encode), page: { nextToken: "" } };
      }
      const page = readPage(context, request, 1);
      const slice = await aliases.history(name, alias, page);
      return { moves: slice.items.map(encode), page: pageInfo(page, slice) };
    },
  };
}

function encode(row: AliasMoveRow): AliasMove {
  return create(AliasMoveSchema, {
    alias: row.alias,
    fromVersion: BigInt(row.from_version),
    toVersion: BigInt(row.to_version),
    movedAt: timestampFromDate(row.moved_at),
    movedBy: row.moved_by,
    reason: row.reason,
  });
}
