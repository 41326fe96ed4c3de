import { type Alias, AliasSchema, type Model, ModelSchema } from "@aimass/api/registry";
import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type AliasRow, type ModelView, modelEtag } from "../models/models.ts";

export function encodeModel({ row, aliases, newestVersion }: ModelView): Model {
  return create(ModelSchema, {
    project: row.project,
    name: row.name,
    description: row.description,
    labels: row.labels,
    aliases: aliases.map(encodeAlias),
    newestVersion,
    createdAt: timestampFromDate(row.created_at),
    createdBy: row.created_by,
    etag: modelEtag(row),
  });
}

export function encodeAlias(row: AliasRow): Alias {
  return create(AliasSchema, {
    name: row.name,
    version: BigInt(row.version),
    movedAt: timestampFromDate(row.moved_at),
    movedBy: row.moved_by,
  });
}
