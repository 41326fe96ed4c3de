import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { ColumnType, Generated, JSONColumnType, Transaction as KyselyTransaction } from "kysely";

/** bigint columns come and go as text. */
type BigInteger = ColumnType<string, string, string>;
type GeneratedBigInteger = ColumnType<string, string | undefined, string>;
type Json<T extends object> = JSONColumnType<T, string, string>;

/** The tables of the schema "registry"; see migrations/. */
export interface Database {
  project: ProjectTable;
  model: ModelTable;
  version: VersionTable;
  version_file: VersionFileTable;
  version_code: VersionFileTable;
  review: ReviewTable;
  alias: AliasTable;
  alias_move: AliasMoveTable;
  dataset: DatasetTable;
  dataset_version: DatasetVersionTable;
  artifact_hold: ArtifactHoldTable;
  installation: InstallationTable;
}

/** A transaction on the registry's schema. */
export type Transaction = KyselyTransaction<Database>;

/** Names of the states of a version, as stored and as events tell them. */
export type StateName = "VALIDATED" | "IN_REVIEW" | "READY" | "REFUSED" | "RETIRED";

interface ProjectTable {
  name: string;
  description: string;
  review_required: boolean;
  created_at: Date;
  created_by: string;
  deleted_at: Date | null;
}

interface ModelTable {
  project: string;
  name: string;
  description: string;
  labels: Json<Record<string, string>>;
  last_version: GeneratedBigInteger;
  created_at: Date;
  created_by: string;
  deleted_at: Date | null;
}

interface VersionTable {
  project: string;
  model: string;
  version: BigInteger;
  state: StateName;
  state_reason: Generated<string>;
  bundle_digest: Buffer;
  idempotency_key: string | null;
  body: ColumnType<JsonObject, string, string>;
  created_at: Date;
  created_by: string;
}

interface VersionFileTable {
  project: string;
  model: string;
  version: BigInteger;
  path: string;
  sha256: Buffer;
  size_bytes: BigInteger;
}

interface ReviewTable {
  id: GeneratedBigInteger;
  project: string;
  model: string;
  version: BigInteger;
  step: "requested" | "approved" | "refused";
  principal: string;
  comment: string;
  at: Date;
}

interface AliasTable {
  project: string;
  model: string;
  name: string;
  version: BigInteger;
  moved_at: Date;
  moved_by: string;
}

interface AliasMoveTable {
  id: GeneratedBigInteger;
  project: string;
  model: string;
  alias: string;
  from_version: BigInteger;
  to_version: BigInteger;
  rollback: boolean;
  reason: string;
  moved_at: Date;
  moved_by: string;
}

interface DatasetTable {
  project: string;
  name: string;
  last_version: GeneratedBigInteger;
}

interface DatasetVersionTable {
  project: string;
  dataset: string;
  version: BigInteger;
  sha256: Buffer;
  body: ColumnType<JsonValue, string, string>;
}

interface InstallationTable {
  only_row: Generated<boolean>;
  id: string;
}

interface ArtifactHoldTable {
  sha256: Buffer;
  principal: string;
  held_at: Date;
  /** Absent: did not bring the bytes. */
  uploaded_project: string | null;
  uploaded_at: Date | null;
}
