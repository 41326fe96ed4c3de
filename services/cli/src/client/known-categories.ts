import { ModelService } from "@aimass/api/registry";
import { ConnectError } from "@connectrpc/connect";
import type { VersionName } from "./class-scores.ts";
import type { Connection } from "./connection.ts";
import type { KnownCategories } from "./predict-inputs.ts";

/** An example is not worth a longer wait. */
const withinMs = 5000;

/** The categories of a version's columns in training, most frequent first, by input; none where the caller may not see the version. */
export async function knownCategories(connection: Connection, name: VersionName): Promise<KnownCategories> {
  try {
    const { version } = await connection.client(ModelService).getVersion(name, { timeoutMs: withinMs });
    const inputs = version?.signature?.inputs ?? [];
    return new Map(inputs.map((input) => [input.name, input.column?.categories ?? []]));
  } catch (error) {
    if (error instanceof ConnectError) return new Map();
    throw error;
  }
}
