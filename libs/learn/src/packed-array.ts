import { AimassError } from "@aimass/core";

/** What JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

const kinds = { Uint8Array, Int32Array, Uint32Array, Float32Array, Float64Array } as const;
type Kinds = typeof kinds;

/** A typed array in JSON: its bytes in base64 (little-endian) and its type. */
export type PackedArray = { readonly type: keyof Kinds; readonly data: string };

export function packArray(array: Uint8Array | Int32Array | Uint32Array | Float32Array | Float64Array): PackedArray {
  const type = array.constructor.name as keyof Kinds;
  return { type, data: Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString("base64") };
}

/** Throws DATA_LOSS when `json` is no array of that type. */
export function unpackArray<K extends keyof Kinds>(type: K, json: Json | undefined): InstanceType<Kinds[K]> {
  const packed = json as Partial<PackedArray> | undefined | null;
  if (packed?.type !== type || typeof packed.data !== "string") {
    throw new AimassError("DATA_LOSS", `A saved model should have a ${type} where it has something else.`);
  }
  const bytes = new Uint8Array(Buffer.from(packed.data, "base64"));
  return new kinds[type](bytes.buffer, 0, bytes.byteLength / kinds[type].BYTES_PER_ELEMENT) as InstanceType<Kinds[K]>;
}
