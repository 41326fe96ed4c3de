/** A disposable process that reads one file, which may be out to harm whoever reads it; says once what it found, and ends. */
import { once } from "node:events";
import { setPriority } from "node:os";
import { Worker } from "node:worker_threads";
import { AimassError } from "@aimass/core";
import {
  type DataFile,
  type DatasetFormat,
  defaultLimits,
  detectFormat,
  missingWords,
  openDataset,
  profileDataset,
} from "@aimass/datasets";
import { lentFile } from "./lent-file.ts";
import type { FromReader, Preview, PreviewJob, Profile, ProfileJob, ToReader } from "./messages.ts";
import { previewRows } from "./preview-rows.ts";

const background = 10;

new Worker(new URL("./orphan-guard.ts", import.meta.url)).unref();
process.on("disconnect", () => process.exit(0));
setPriority(background);
const [message] = (await once(process, "message")) as [ToReader];
if ("start" in message) {
  const file = lentFile(message.sizeBytes, message.hasDescriptor);
  const job = message.start;
  say(await answer(() => (job.kind === "profile" ? profile(file, job) : preview(file, job))));
}

async function profile(file: DataFile, job: ProfileJob): Promise<Profile> {
  const { encoding } = job;
  const limits = { ...defaultLimits, ...job.limits };
  const format = job.format ?? named(await detectFormat(file, { encoding, limits }), job.delimiter);
  const { types, dates = new Map(), choices, delimiter, missing = [] } = job;
  const { onlyMissing = false, keepIndex = false } = job;
  const isAsUsual = missing.length === 0 && !onlyMissing;
  const { schema, rows, columns, warnings } = await profileDataset({
    format,
    file,
    limits,
    types,
    ...choices,
    dates,
    onlyMissing,
    keepIndex,
    ...(!isAsUsual && { missing: missingWords(format, missing, onlyMissing) }),
    ...(delimiter !== undefined && { delimiter }),
    ...(job.encoding !== undefined && { encoding: job.encoding }),
    ...(job.decimal !== undefined && { decimal: job.decimal }),
    ...(job.thousands !== undefined && { thousands: job.thousands }),
    ...(job.sheet !== undefined && { sheet: job.sheet }),
    previewRows: 1,
  });
  return { format, schema, rows, columns, warnings };
}

/** Delimited text is what its delimiter says it is. */
function named(format: DatasetFormat, delimiter: string | undefined): DatasetFormat {
  if (delimiter === undefined || (format !== "csv" && format !== "tsv")) return format;
  return delimiter === "\t" ? "tsv" : "csv";
}

async function preview(file: DataFile, { format, schema, limits, rows }: PreviewJob): Promise<Preview> {
  await using dataset = await openDataset({ format, file, schema, limits });
  const columns = schema.columns.map((column) => column.name);
  for await (const batch of dataset.batches({ batchRows: rows })) return { columns, rows: await previewRows(batch) };
  return { columns, rows: [] };
}

async function answer(work: () => Promise<Profile | Preview>): Promise<FromReader> {
  try {
    return { found: await work() };
  } catch (error) {
    const { code, message, reason, field, remedy } =
      error instanceof RangeError ? tooMuch(error) : AimassError.from(error);
    return { refused: { code, message, reason, field, remedy } };
  }
}

/** A buffer cannot be as large as the file says, or the stack ran out. */
function tooMuch(cause: RangeError): AimassError {
  return new AimassError("INVALID_ARGUMENT", "The file asks for more memory than there can be.", {
    reason: "BAD_FILE",
    cause,
  });
}

function say(reply: FromReader): void {
  process.send?.(reply, undefined, undefined, () => process.exit(0));
}
