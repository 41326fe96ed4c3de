import { join } from "node:path";
import { DatasetFormat, DatasetService, type DatasetVersion } from "@aimass/api/registry";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Command } from "commander";
import { allPages } from "../client/all-pages.ts";
import { firstBytes, pullFiles } from "../client/bundle.ts";
import { extensionOf } from "../client/dataset-formats.ts";
import { bytes, enumName, modelName, time } from "../output/format.ts";
import { table } from "../output/output.ts";
import { wholeNumber } from "../training/arguments.ts";
import { action, modelArgument, versionArgument, versionNumber } from "./context.ts";
import { datasetUses } from "./dataset-uses.ts";
import { type DestroyOptions, destroy, destroys } from "./destroy.ts";

/** `datasets versions`, `diff`, `pull` and `delete`. */
export function addDatasetVersions(datasets: Command): void {
  addVersions(datasets);
  addDiff(datasets);
  addPull(datasets);
  addDelete(datasets);
}

function addVersions(datasets: Command): void {
  datasets
    .command("versions")
    .description("every version of a dataset, newest first")
    .argument("<dataset>")
    .action(
      action(async ({ connection, output }, _options, [name]) => {
        const { project, model: dataset } = modelArgument(name as string, "dataset");
        const all = await allPages(
          (page) => connection.client(DatasetService).listDatasetVersions({ project, dataset, page }),
          (answer) => answer.versions,
        );
        output.result(all, () =>
          table(
            ["VERSION", "FORMAT", "ROWS", "COLUMNS", "SIZE", "SHA-256", "CREATED", "BY", "DESCRIPTION"],
            all.map((d) => [
              String(d.version),
              enumName(DatasetFormat, d.format).toLowerCase(),
              String(d.rows),
              String(d.columns.length),
              bytes(d.sizeBytes),
              Buffer.from(d.sha256).toString("hex").slice(0, 12),
              time(d.createdAt),
              d.createdBy,
              d.description,
            ]),
          ),
        );
      }),
    );
}

function addDiff(datasets: Command): void {
  datasets
    .command("diff")
    .description("what differs between two versions: rows, columns, types, statistics")
    .argument("<dataset>")
    .argument("<left>", "a version")
    .argument("[right]", "another one; the newest when left out", "0")
    .action(
      action(async ({ connection, output }, _options, [name, left, right]) => {
        const { project, model: dataset } = modelArgument(name as string, "dataset");
        const sides = {
          left: versionNumber(left as string),
          right: BigInt(wholeNumber("the right version", right as string)),
        };
        const answer = await connection.client(DatasetService).diffDatasetVersions({ project, dataset, ...sides });
        const [l, r] = [answer.left?.version, answer.right?.version];
        const { differences, compatible } = answer;
        output.result({ left: l, right: r, differences, compatible }, () => [
          ...(differences.length === 0 ? ["No differences."] : differences),
          compatible
            ? `v${r} has every column of v${l}, with the same types.`
            : `v${r} lacks columns of v${l}, or has them with other types.`,
        ]);
      }),
    );
}

function addPull(datasets: Command): void {
  datasets
    .command("pull")
    .description("download the file of a version, byte for byte as it was pushed")
    .argument("<dataset>", '"dataset", or "dataset:version"; the newest when left out')
    .argument("[folder]", "where to; the folder you are in when left out", ".")
    .option("--force", "replace a file that is there with other content")
    .action(
      action<{ force?: boolean }>(async ({ connection, output }, { force = false }, [name, folder = "."]) => {
        const { project, model: dataset, version: text } = versionArgument(name as string, "dataset");
        const version = text === "" ? 0n : versionNumber(text);
        const client = connection.client(DatasetService);
        const found = (await client.getDatasetVersion({ project, dataset, version })).datasetVersion as DatasetVersion;
        const { sha256, sizeBytes } = found;
        const { packingOf } = await import("@aimass/datasets");
        const packing = packingOf(await firstBytes(connection, sha256));
        const path = `${dataset}-${found.version}${extensionOf(found.format, packing)}`;
        await pullFiles(connection, output, [{ path, sha256, sizeBytes }], { folder, force });
        const file = join(folder, path);
        output.result({ version: found.version, file, sha256, sizeBytes }, () => `${file}  ${bytes(sizeBytes)}`);
      }),
    );
}

function addDelete(datasets: Command): void {
  destroys(
    datasets
      .command("delete")
      .description("remove a version, or a dataset with all its versions; models keep its digest in their lineage")
      .argument("<dataset>", '"dataset" for all of it, "dataset:version" for one version'),
  ).action(
    action<DestroyOptions>(async (context, options, [name]) => {
      const { project, model: dataset, version: text } = versionArgument(name as string, "dataset");
      const version = text === "" ? 0n : versionNumber(text);
      const client = context.connection.client(DatasetService);
      const full = modelName(project, dataset);
      const numbers = (versions: readonly bigint[]) => versions.map((n) => `v${n}`).join(", ");
      const isLast = async (going: readonly bigint[]) => {
        if (version === 0n) return true;
        const there = await allPages(
          (page) => client.listDatasetVersions({ project, dataset, page }),
          (answer) => answer.versions,
        );
        return there.every((one) => going.includes(one.version));
      };
      await destroy(context, options, {
        call: (validateOnly) => client.deleteDataset({ project, dataset, version, validateOnly }),
        uses: async ({ versions }) => {
          const going = { project, dataset, versions, all: await isLast(versions) };
          return await datasetUses(context.connection, going).catch((error: unknown) => {
            if (ConnectError.from(error).code !== Code.Unavailable) throw error;
            context.output.say("Whether jobs or rules use it could not be asked: the trainer does not answer.");
            return [];
          });
        },
        what: ({ versions }) =>
          version === 0n ? `the dataset ${full} with ${numbers(versions)}` : `${numbers(versions)} of ${full}`,
        done: ({ versions }) => (version === 0n ? `${full} is gone.` : `${full} ${numbers(versions)} is gone.`),
      });
    }),
  );
}
