import type { RgbImage } from "../columns.ts";
import type { FeatureGraph } from "../feature-graph.ts";

/** For each channel the share of its pixels in each of `bins` equal ranges of 0 to 255. */
export function histogram({ rgb: data }: RgbImage, bins: number): Float32Array {
  const shares = new Float32Array(3 * bins);
  for (let at = 0; at < data.length; at++) {
    const place = (at % 3) * bins + Math.floor(((data[at] as number) * bins) / 256);
    shares[place] = (shares[place] as number) + 1;
  }
  const pixels = data.length / 3;
  return shares.map((count) => count / pixels);
}

/** The same of an FP32 [N, H, W, 3] value: FP32 [N, 3 * bins], each share as the difference of two shares of pixels at or above an edge. */
export function addHistogram(graph: FeatureGraph, image: string, bins: number): string {
  const [area, last] = [graph.ints([1, 2]), graph.ints([2])];
  const atOrAbove = Array.from({ length: bins + 1 }, (_, bin) => {
    const edge = graph.floats([Math.ceil((bin * 256) / bins)]);
    const flags = graph.cast(graph.node("GreaterOrEqual", [image, edge]), "float");
    const share = graph.node("ReduceMean", [flags, area], { keepdims: { int: 0 } });
    return graph.node("Unsqueeze", [share, last]);
  });
  const side = (parts: readonly string[]) => graph.node("Concat", parts, { axis: { int: 2 } });
  const shares = graph.node("Sub", [side(atOrAbove.slice(0, -1)), side(atOrAbove.slice(1))]);
  return graph.node("Reshape", [shares, graph.ints([0, 3 * bins])]);
}
