import type { DenseMatrix } from "../../matrix.ts";
import type { Block, BlockFit, BlockJson } from "../block.ts";
import { type Batch, imagesOf, type RgbImage } from "../columns.ts";
import type { FeatureGraph } from "../feature-graph.ts";
import type { ImageFeature } from "../plan.ts";
import { ChannelMoments, greyShares } from "./channel-moments.ts";
import { addHistogram, histogram } from "./histogram.ts";
import { resized } from "./resize.ts";

interface State {
  readonly column: string;
  readonly size: readonly [number, number];
  readonly channels: "rgb" | "grey";
  readonly pixels: boolean;
  readonly histogram: number;
  /** For each channel, FP32: a pixel (0 to 255) becomes `(pixel - centre) * factor`. */
  readonly centre: readonly number[];
  readonly factor: readonly number[];
}

/** What a resized pixel of full brightness may differ by, in shares of it. */
const lastBits = 2 ** -20;

/** Pixels row by row, channel beside channel; then the histograms of red, green and blue. */
export class ImageBlock implements Block {
  readonly density = 1;
  readonly tolerance: number;
  readonly width: number;
  private readonly state: State;
  private readonly pixelCount: number;

  constructor(state: State) {
    this.state = state;
    this.pixelCount = state.pixels ? state.size[0] * state.size[1] * state.centre.length : 0;
    this.width = this.pixelCount + 3 * state.histogram;
    this.tolerance = lastBits * (state.pixels ? 255 * Math.max(...state.factor) : 1);
  }

  static fit(spec: ImageFeature): ImageBlockFit {
    return new ImageBlockFit(spec);
  }

  names(): string[] {
    const { column, size, channels, histogram: bins } = this.state;
    const letters = channels === "grey" ? ["grey"] : ["red", "green", "blue"];
    const pixels = Array.from({ length: this.pixelCount }, (_, i) => {
      const place = Math.floor(i / letters.length);
      return `${column}[${Math.floor(place / size[1])},${place % size[1]},${letters[i % letters.length]}]`;
    });
    const colours = ["red", "green", "blue"].flatMap((colour) =>
      Array.from({ length: bins }, (_, bin) => `${column}:${colour}#${bin}`),
    );
    return [...pixels, ...colours];
  }

  transform(batch: Batch): DenseMatrix {
    const data = new Float32Array(batch.rows * this.width);
    imagesOf(batch, this.state.column).forEach((image, row) => {
      const start = row * this.width;
      if (this.state.pixels) data.set(this.pixels(image), start);
      if (this.state.histogram > 0) data.set(histogram(image, this.state.histogram), start + this.pixelCount);
    });
    return { kind: "dense", rows: batch.rows, cols: this.width, data };
  }

  addToGraph(graph: FeatureGraph): string {
    const { column, histogram: bins, pixels } = this.state;
    const image = graph.cast(column, "float");
    const parts = pixels ? [this.addPixels(graph, image)] : [];
    return graph.join(bins > 0 ? [...parts, addHistogram(graph, image, bins)] : parts);
  }

  toJson(): BlockJson {
    return { block: "image", state: this.state };
  }

  private pixels(image: RgbImage): Float32Array {
    const { size, channels, centre, factor } = this.state;
    const colours = resized({ ...image, data: image.rgb }, size, 3);
    const values = channels === "grey" ? greyOf(colours) : colours;
    for (let i = 0; i < values.length; i++) {
      const channel = i % centre.length;
      values[i] = Math.fround((values[i] as number) - (centre[channel] as number)) * (factor[channel] as number);
    }
    return values;
  }

  private addPixels(graph: FeatureGraph, image: string): string {
    const { size, channels, centre, factor } = this.state;
    const rows = graph.node("Shape", [image], { end: { int: 1 } });
    const sizes = graph.node("Concat", [rows, graph.ints([...size, 3])], { axis: { int: 0 } });
    const colours = graph.node("Resize", [image, "", "", sizes], {
      mode: { string: "linear" },
      antialias: { int: 1 },
      coordinate_transformation_mode: { string: "half_pixel" },
    });
    const values = channels === "grey" ? addGrey(graph, colours) : colours;
    const centred = graph.node("Sub", [values, graph.floats(centre)]);
    const scaled = graph.node("Mul", [centred, graph.floats(factor)]);
    return graph.node("Reshape", [scaled, graph.ints([0, this.pixelCount])]);
  }
}

class ImageBlockFit implements BlockFit {
  private readonly spec: ImageFeature;
  private readonly moments: ChannelMoments;

  constructor(spec: ImageFeature) {
    this.spec = spec;
    this.moments = new ChannelMoments(spec.channels ?? "rgb");
  }

  add(batch: Batch): void {
    if (this.spec.scale !== "standard") return;
    for (const image of imagesOf(batch, this.spec.column)) this.moments.add(image);
  }

  merge(other: ImageBlockFit): void {
    this.moments.merge(other.moments);
  }

  finish(): ImageBlock {
    const { column, size = [32, 32], channels = "rgb", pixels = true, scale = "unit", histogram: bins = 0 } = this.spec;
    const moments = this.moments.finish();
    return new ImageBlock({
      column,
      size,
      channels,
      pixels,
      histogram: bins,
      centre: moments.map(({ mean }) => Math.fround(scale === "unit" ? 0 : mean)),
      factor: moments.map(({ deviation }) => Math.fround(1 / (scale === "unit" ? 255 : deviation))),
    });
  }
}

/** Products and sums in FP32, like the graph's. */
function greyOf(colours: Float32Array): Float32Array {
  const [red, green, blue] = greyShares.map(Math.fround) as [number, number, number];
  const part = (share: number, at: number) => Math.fround(share * (colours[at] as number));
  return Float32Array.from(
    { length: colours.length / 3 },
    (_, pixel) => Math.fround(part(red, 3 * pixel) + part(green, 3 * pixel + 1)) + part(blue, 3 * pixel + 2),
  );
}

/** Node by node, so that the order of the sum is that of `greyOf`. */
function addGrey(graph: FeatureGraph, colours: string): string {
  const parts = greyShares.map((share, channel) => {
    const plane = graph.node("Gather", [colours, graph.ints([channel])], { axis: { int: 3 } });
    return graph.node("Mul", [plane, graph.floats([share])]);
  });
  return parts.reduce((sum, part) => graph.node("Add", [sum, part]));
}
