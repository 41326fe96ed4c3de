import type { RgbImage } from "../columns.ts";

/** Shares of red, green and blue in grey (ITU-R BT.601). */
export const greyShares = [0.299, 0.587, 0.114] as const;

/** Mean and deviation of each channel over all pixels of all images. */
export class ChannelMoments {
  private pixels = 0;
  private readonly sums: Float64Array;
  private readonly squares: Float64Array;
  private readonly grey: boolean;

  constructor(channels: "rgb" | "grey") {
    this.grey = channels === "grey";
    this.sums = new Float64Array(this.grey ? 1 : 3);
    this.squares = new Float64Array(this.sums.length);
  }

  add({ rgb: data }: RgbImage): void {
    for (let at = 0; at < data.length; at += 3) {
      const [red, green, blue] = [data[at] as number, data[at + 1] as number, data[at + 2] as number];
      if (this.grey) this.count(0, red * greyShares[0] + green * greyShares[1] + blue * greyShares[2]);
      else {
        this.count(0, red);
        this.count(1, green);
        this.count(2, blue);
      }
    }
    this.pixels += data.length / 3;
  }

  merge(other: ChannelMoments): void {
    this.pixels += other.pixels;
    other.sums.forEach((sum, channel) => {
      this.sums[channel] = (this.sums[channel] as number) + sum;
      this.squares[channel] = (this.squares[channel] as number) + (other.squares[channel] as number);
    });
  }

  /** Of each channel; at least 8, because a smaller one would enlarge the last bit in which FP32 sums differ. */
  finish(): { mean: number; deviation: number }[] {
    const pixels = Math.max(this.pixels, 1);
    return Array.from(this.sums, (sum, channel) => {
      const mean = sum / pixels;
      const variance = (this.squares[channel] as number) / pixels - mean * mean;
      return { mean, deviation: Math.max(8, Math.sqrt(Math.max(0, variance))) };
    });
  }

  private count(channel: number, value: number): void {
    this.sums[channel] = (this.sums[channel] as number) + value;
    this.squares[channel] = (this.squares[channel] as number) + value * value;
  }
}
