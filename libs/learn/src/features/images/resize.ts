const { fround } = Math;

/** The source pixels one target pixel is made of: `weights` from pixel `first` on. */
interface Taps {
  readonly first: number;
  readonly weights: Float32Array;
}

/**
 * Brings an interleaved image of any number of channels to another size: linear (triangle filter), widened when shrinking, first the rows, then
 * the columns, as ONNX's Resize with `antialias` and half-pixel coordinates does. Beyond its edges an image goes on with the pixel at the edge.
 */
export function resized(
  source: { readonly width: number; readonly height: number; readonly data: ArrayLike<number> },
  [height, width]: readonly [number, number],
  channels: number,
): Float32Array {
  const wide = alongRows(source, taps(source.width, width), channels);
  return alongColumns(wide, taps(source.height, height), width * channels);
}

/** In FP32 at every step, like the operator: with positions in FP64 a weight may differ by 1e-6. */
function taps(from: number, to: number): Taps[] {
  const scale = fround(to / from);
  const reach = Math.max(fround(1 / scale), 1);
  const inverse = Math.min(scale, 1);
  return Array.from({ length: to }, (_, target) => {
    const centre = from === to ? target + 0.5 : fround(fround(fround((target + 0.5) / scale) - 0.5) + 0.5);
    const begin = Math.floor(fround(fround(centre - reach) + 0.5));
    const end = Math.floor(fround(fround(centre + reach) + 0.5));
    const heights = Float32Array.from(
      { length: end - begin },
      (_, i) => 1 - Math.abs(fround(fround(fround(begin + i - centre) + 0.5) * inverse)),
    ).map((height) => Math.max(0, height));
    const sum = heights.reduce((total, height) => fround(total + height), 0);
    return folded(begin, heights, from, fround(1 / sum));
  });
}

/** Gives the weights of pixels beyond the edges to the pixel at the edge, then scales all. */
function folded(begin: number, heights: Float32Array, pixels: number, factor: number): Taps {
  const [before, behind] = [Math.max(0, -begin), Math.max(0, begin + heights.length - pixels)];
  const kept = heights.slice(before, heights.length - behind);
  for (const height of heights.subarray(0, before)) kept[0] = (kept[0] as number) + height;
  const last = kept.length - 1;
  for (const height of heights.subarray(heights.length - behind)) kept[last] = (kept[last] as number) + height;
  return { first: begin + before, weights: kept.map((height) => height * factor) };
}

function alongRows(
  { width, height, data }: { readonly width: number; readonly height: number; readonly data: ArrayLike<number> },
  targets: readonly Taps[],
  channels: number,
): Float32Array {
  const result = new Float32Array(height * targets.length * channels);
  let at = 0;
  for (let row = 0; row < height; row++) {
    for (const { first, weights } of targets) {
      const start = (row * width + first) * channels;
      for (let channel = 0; channel < channels; channel++) {
        let sum = 0;
        for (let i = 0; i < weights.length; i++) {
          sum = fround(sum + fround((weights[i] as number) * (data[start + i * channels + channel] as number)));
        }
        result[at++] = sum;
      }
    }
  }
  return result;
}

function alongColumns(rows: Float32Array, targets: readonly Taps[], rowLength: number): Float32Array {
  const result = new Float32Array(targets.length * rowLength);
  targets.forEach(({ first, weights }, row) => {
    for (let column = 0; column < rowLength; column++) {
      let sum = 0;
      for (let i = 0; i < weights.length; i++) {
        sum = fround(sum + fround((weights[i] as number) * (rows[(first + i) * rowLength + column] as number)));
      }
      result[row * rowLength + column] = sum;
    }
  });
  return result;
}
