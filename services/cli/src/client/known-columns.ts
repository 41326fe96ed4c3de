import { type ColumnMeaning, ModelService } from "@aimass/api/registry";
import { Cells, cellsOf } from "@aimass/oip";
import { ConnectError } from "@connectrpc/connect";
import type { VersionName } from "./class-scores.ts";
import type { Connection } from "./connection.ts";
import type { KnownCategories, KnownCells } from "./predict-inputs.ts";

/** What a version's columns hold is not worth a longer wait. */
const withinMs = 5000;

/** The categories of a version's columns in training, most frequent first, by input; none where the caller may not see the version. */
export async function knownCategories(connection: Connection, name: VersionName): Promise<KnownCategories> {
  const columns = await columnsOf(connection, name);
  return new Map([...columns].map(([input, column]) => [input, column.categories]));
}

/** How the cells of a version's columns are read, by input; none where the caller may not see the version. */
export async function knownCells(connection: Connection, name: VersionName): Promise<KnownCells> {
  const columns = await columnsOf(connection, name);
  return new Map(
    [...columns].flatMap(([input, column]) => {
      const meaning = cellsOf(column);
      return meaning === undefined ? [] : [[input, new Cells(meaning)] as const];
    }),
  );
}

/** How the data of a version write numbers; empty: as programs do, or the caller may not see the version. */
export async function knownNumbers(
  connection: Connection,
  name: VersionName,
): Promise<{ readonly decimal: string; readonly thousands: string }> {
  const columns = [...(await columnsOf(connection, name)).values()];
  const written = columns.find(({ decimal, thousands }) => decimal !== "" || thousands !== "");
  return { decimal: written?.decimal ?? "", thousands: written?.thousands ?? "" };
}

async function columnsOf(connection: Connection, name: VersionName): Promise<ReadonlyMap<string, ColumnMeaning>> {
  try {
    const { version } = await connection.client(ModelService).getVersion(name, { timeoutMs: withinMs });
    const inputs = version?.signature?.inputs ?? [];
    return new Map(
      inputs.flatMap((input) => (input.column === undefined ? [] : [[input.name, input.column] as const])),
    );
  } catch (error) {
    if (error instanceof ConnectError) return new Map();
    throw error;
  }
}
