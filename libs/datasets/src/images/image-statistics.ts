import type { ColumnProfile } from "../profile/column-profile.ts";
import type { ImageReference } from "./image-reference.ts";

/** Collects what a profile says about a column of images, from their headers. */
export class ImageStatistics {
  #count = 0;
  #png = 0;
  #minimumWidth = Number.POSITIVE_INFINITY;
  #maximumWidth = 0;
  #minimumHeight = Number.POSITIVE_INFINITY;
  #maximumHeight = 0;

  async add(image: ImageReference): Promise<void> {
    const { format, width, height } = await image.header();
    this.#count++;
    if (format === "png") this.#png++;
    this.#minimumWidth = Math.min(this.#minimumWidth, width);
    this.#maximumWidth = Math.max(this.#maximumWidth, width);
    this.#minimumHeight = Math.min(this.#minimumHeight, height);
    this.#maximumHeight = Math.max(this.#maximumHeight, height);
  }

  finish(name: string): ColumnProfile {
    const statistics = {
      kind: "image" as const,
      minimumWidth: this.#minimumWidth,
      maximumWidth: this.#maximumWidth,
      minimumHeight: this.#minimumHeight,
      maximumHeight: this.#maximumHeight,
      png: this.#png,
      jpeg: this.#count - this.#png,
    };
    return { name, type: "image", count: this.#count, missing: 0, statistics };
  }
}
