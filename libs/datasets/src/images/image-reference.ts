import type { ImageHeader } from "./image-header.ts";
import type { RgbImage } from "./rgb-image.ts";

/** An image that lies in a file and is read when it is wanted. */
export interface ImageReference {
  /** Path inside the archive. */
  readonly name: string;
  readonly label: string;
  /** Of the PNG or JPEG. */
  readonly sizeBytes: number;
  /** The PNG or JPEG. */
  read(signal?: AbortSignal): Promise<Uint8Array>;
  /** Format and size in pixels, checked against the limits. */
  header(signal?: AbortSignal): Promise<ImageHeader>;
  /** Pixels. Errors: INVALID_ARGUMENT naming the image. */
  decode(signal?: AbortSignal): Promise<RgbImage>;
}
