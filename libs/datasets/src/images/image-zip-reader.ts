import type { Batch, ColumnData } from "../batch.ts";
import { badFile } from "../cells/bad-cell.ts";
import type { BatchOptions, FormatReader, ReaderContext } from "../format-reader.ts";
import { overLimit } from "../limits.ts";
import { refuseOtherArchives } from "../other-formats.ts";
import { collectStatistics } from "../profile/batch-statistics.ts";
import { type Inference, inferenceOf } from "../profile/inference.ts";
import { checkColumns, type DatasetSchema, quote, selectColumns } from "../schema.ts";
import { decodeImage } from "./decode-image.ts";
import { readImageHeader } from "./image-header.ts";
import type { ImageReference } from "./image-reference.ts";
import { readZip, type ZipEntry } from "./zip-directory.ts";
import { readEntry } from "./zip-entry.ts";

/** The columns of every image data set. */
export const imageSchema: DatasetSchema = {
  columns: [
    { name: "image", type: "image" },
    { name: "label", type: "string" },
  ],
};

const inferenceBatchRows = 256;

/** A ZIP of folders of images, one folder a class: `label/name.png`, below one common folder or none. Rows are in order of path. */
export class ImageZipReader implements FormatReader {
  readonly #context: ReaderContext;

  constructor(context: ReaderContext) {
    this.#context = context;
  }

  /** Looks at every image's header, and unpacks each for that; pixels are not decoded. */
  async infer(signal: AbortSignal | undefined): Promise<Inference> {
    const batches = this.batches(imageSchema, { batchRows: inferenceBatchRows, signal });
    const { columns, rows } = await collectStatistics(imageSchema, batches);
    return inferenceOf(columns, rows, {});
  }

  async *batches(schema: DatasetSchema, options: BatchOptions): AsyncGenerator<Batch> {
    const { file, limits } = this.#context;
    checkColumns(schema, ["image", "label"]);
    const wanted = selectColumns(schema, options.columns);
    const images = imagesOf(await readZip(file, limits, options.signal));
    if (images.length > limits.rows) throw overLimit("rows", limits, `The ZIP file has ${images.length} images`);
    for (let firstRow = 0; firstRow < images.length; firstRow += options.batchRows) {
      options.signal?.throwIfAborted();
      const some = images.slice(firstRow, firstRow + options.batchRows);
      const columns = new Map<string, ColumnData>();
      for (const { name } of wanted) columns.set(name, this.#column(name, some));
      yield { rows: some.length, firstRow, columns };
    }
  }

  #column(name: string, images: readonly LabelledEntry[]): ColumnData {
    if (name === "label") return { type: "string", values: images.map(({ label }) => label) };
    return { type: "image", values: images.map((image) => this.#reference(image)) };
  }

  #reference({ entry, label }: LabelledEntry): ImageReference {
    const { file, limits } = this.#context;
    const read = (signal?: AbortSignal) => readEntry(file, entry, signal);
    return {
      name: entry.name,
      label,
      sizeBytes: entry.sizeBytes,
      read,
      header: async (signal) => readImageHeader(await read(signal), entry.name, limits),
      decode: async (signal) => decodeImage(await read(signal), entry.name, limits),
    };
  }
}

interface LabelledEntry {
  readonly entry: ZipEntry;
  readonly label: string;
}

/** What operating systems leave in archives without anyone's wish. */
const litter = /(^|\/)(__MACOSX\/|\.[^/]+$|Thumbs\.db$|desktop\.ini$)/i;

function imagesOf(entries: readonly ZipEntry[]): LabelledEntry[] {
  const kept = entries.filter(({ name }) => !litter.test(name));
  if (kept.length === 0) throw badFile("The ZIP file has no images.", "Pack one folder a class: label/name.png.");
  refuseOtherArchives(entries.map(({ name }) => name));
  const seen = new Set<string>();
  let root: string | undefined;
  const images = kept.map((entry) => {
    const { name } = entry;
    if (seen.has(name)) throw badFile(`The ZIP file has two files named ${quote(name)}.`, "Name every file once.");
    seen.add(name);
    checkKind(name);
    const folders = name.split("/").slice(0, -1);
    const label = folders.pop();
    if (label === undefined || label === "") {
      throw badFile(
        `Image ${quote(name)} is in no folder, so it has no label.`,
        "Pack one folder a class: label/name.png.",
      );
    }
    root ??= folders.join("/");
    if (folders.length > 1 || folders.join("/") !== root) {
      throw badFile(
        `Image ${quote(name)} is not in a folder right below ${quote(root)}.`,
        [...folders, root].some((folder) => parts.test(folder.split("/").at(-1) ?? ""))
          ? "Push each part as a dataset of its own (aimass datasets push FOLDER/train), or the images of all parts in one folder a class: training divides them itself."
          : "Pack one folder a class: label/name.png.",
      );
    }
    return { entry, label };
  });
  return images.sort((a, b) => (a.entry.name < b.entry.name ? -1 : 1));
}

const otherImage = /\.(webp|gif|bmp|tiff?|heic|avif)$/i;

function remedyFor(name: string): string {
  const extension = otherImage.exec(name)?.[1];
  if (extension === undefined) return "Leave it out, or convert it.";
  return `Convert such images to PNG, for instance with ImageMagick: mogrify -format png */*.${extension}.`;
}

/** Folders that hold parts of a dataset, and not classes. */
const parts = /^(?:train(?:ing)?|val(?:id(?:ation)?)?|test(?:ing)?)$/i;

function checkKind(name: string): void {
  if (/\.(png|jpe?g)$/i.test(name)) return;
  const nested = /\.(zip|tar|tgz|gz|bz2|xz|7z|rar)$/i.test(name);
  throw badFile(
    `The ZIP file has ${quote(name)}, which is ${nested ? "an archive in the archive" : "neither PNG nor JPEG"}.`,
    nested ? "Unpack it and pack its images." : remedyFor(name),
  );
}
