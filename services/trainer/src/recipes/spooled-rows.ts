import { type FileHandle, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { AimassError } from "@aimass/core";
import type { ClassLabels, Estimator, FitOptions, Fitted, Matrix, RowBatch, RowStream, Targets } from "@aimass/learn";
import { diskError } from "../data/dataset-file.ts";

export interface SpoolShape {
  readonly directory: string;
  readonly rows: number;
  readonly cols: number;
  readonly layout: Matrix["kind"];
  readonly labels: ClassLabels | undefined;
}

/** Where a batch lies in the file. */
interface Place {
  readonly at: number;
  readonly rows: number;
  readonly elements: number;
}

/**
 * Features and targets in a file: what transforming cost is paid once, reading them again costs little. Memory is that of one batch. The file has no name
 * once it is open, so that it goes with its process, however that ends.
 */
export class SpooledRows implements RowStream, AsyncDisposable {
  readonly kind: string;
  readonly bytes = 0;
  readonly rows: number;
  readonly cols: number;
  readonly layout: Matrix["kind"];
  readonly targets: RowStream["targets"];
  readonly #shape: SpoolShape;
  readonly #file: FileHandle;
  readonly #places: Place[] = [];

  private constructor(shape: SpoolShape, file: FileHandle) {
    this.#shape = shape;
    this.#file = file;
    this.rows = shape.rows;
    this.cols = shape.cols;
    this.layout = shape.layout;
    this.kind = `${shape.layout}, on disk`;
    this.targets = shape.labels === undefined ? { kind: "numbers" } : { kind: "classes", labels: shape.labels };
  }

  /** Errors: RESOURCE_EXHAUSTED for a full disk. */
  static async write(batches: AsyncIterable<RowBatch>, shape: SpoolShape): Promise<SpooledRows> {
    const path = join(shape.directory, `rows-${crypto.randomUUID()}`);
    const spooled = new SpooledRows(shape, await open(path, "wx+"));
    await rm(path);
    try {
      let at = 0;
      for await (const batch of batches) at = await spooled.#append(batch, at);
      return spooled;
    } catch (error) {
      await spooled[Symbol.asyncDispose]();
      throw diskError(error) ?? error;
    }
  }

  async fit(estimator: Estimator, options: FitOptions): Promise<Fitted> {
    if (estimator.fitStream === undefined) throw new AimassError("INTERNAL", `${estimator.name} takes no streams.`);
    return estimator.fitStream(this, options);
  }

  async *batches(signal?: AbortSignal): AsyncGenerator<RowBatch> {
    for (const place of this.#places) {
      signal?.throwIfAborted();
      yield await this.#read(place);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }

  async #append({ x, y }: RowBatch, at: number): Promise<number> {
    const elements = x.kind === "dense" ? x.data.length : x.values.length;
    const arrays = [...(x.kind === "dense" ? [x.data] : [x.offsets, x.columns, x.values]), targetArray(y)];
    // Targets of eight bytes each stand first, so that every array is aligned.
    const bytes = arrays.reverse().map((array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    const written = Buffer.concat(bytes);
    for (let from = 0; from < written.length; ) {
      const { bytesWritten } = await this.#file.write(written, from, written.length - from, at + from);
      from += bytesWritten;
    }
    this.#places.push({ at, rows: x.rows, elements });
    return at + written.length;
  }

  async #read({ at, rows, elements }: Place): Promise<RowBatch> {
    const { layout, cols, labels } = this.#shape;
    const ofTargets = rows * (labels === undefined ? 8 : 4);
    const size = ofTargets + elements * 4 + (layout === "dense" ? 0 : elements * 4 + (rows + 1) * 4);
    const buffer = new ArrayBuffer(size);
    await this.#fill(new Uint8Array(buffer), at);
    const y: Targets =
      labels === undefined
        ? { kind: "numbers", values: new Float64Array(buffer, 0, rows) }
        : { kind: "classes", indices: new Int32Array(buffer, 0, rows), labels };
    const values = new Float32Array(buffer, ofTargets, elements);
    if (layout === "dense") return { x: { kind: "dense", rows, cols, data: values }, y };
    const columns = new Uint32Array(buffer, ofTargets + elements * 4, elements);
    const offsets = new Uint32Array(buffer, ofTargets + elements * 8, rows + 1);
    return { x: { kind: "sparse", rows, cols, offsets, columns, values }, y };
  }

  async #fill(bytes: Uint8Array, at: number): Promise<void> {
    for (let filled = 0; filled < bytes.length; ) {
      const { bytesRead } = await this.#file.read(bytes, filled, bytes.length - filled, at + filled);
      if (bytesRead === 0) throw new AimassError("DATA_LOSS", "The file of the rows became shorter while it was read.");
      filled += bytesRead;
    }
  }
}

function targetArray(y: Targets): Float64Array | Int32Array {
  return y.kind === "numbers" ? y.values : y.indices;
}
