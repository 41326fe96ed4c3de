import { CopyTurns, turnBytes } from "@aimass/core";
import type { Datatype, Tensor } from "@aimass/oip";

/** Where one tensor lies in a packed buffer. */
export interface PackedTensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  /** Bytes from the buffer's start, a multiple of 64. */
  readonly offset: number;
  readonly length: number;
}

/** Tensors side by side in one buffer, so that one message carries them to another thread. */
export interface PackedTensors {
  readonly buffer: ArrayBuffer;
  readonly tensors: readonly PackedTensor[];
}

/** Rounds up to where the next tensor may begin: aligned for any element type and for vector loads. */
export function alignOffset(offset: number): number {
  // Not by bits: those of JavaScript end at 2 GiB.
  return Math.ceil(offset / 64) * 64;
}

/**
 * Joins the tensors of requests along axis 0 into one buffer: the only copy the bytes see on their way to a run. Requests have the same tensors in the same
 * order, and shapes that differ in axis 0 alone. A single request keeps its shapes, whatever its rank.
 */
export function packRequests(requests: readonly (readonly Tensor[])[]): PackedTensors {
  const { tensors, size, packed } = layOut(requests);
  if (packed !== undefined) return { buffer: packed, tensors };
  const bytes = new Uint8Array(size);
  eachPart(requests, tensors, (part, at) => bytes.set(part, at));
  return { buffer: bytes.buffer, tensors };
}

/** `packRequests` on a thread that others need: what is large is copied a few megabytes at a time. */
export function packInTurns(requests: readonly (readonly Tensor[])[]): PackedTensors | Promise<PackedTensors> {
  const { tensors, size, packed } = layOut(requests);
  return packed !== undefined || size < turnBytes ? packRequests(requests) : copyAll(requests, tensors, size);
}

async function copyAll(
  requests: readonly (readonly Tensor[])[],
  tensors: readonly PackedTensor[],
  size: number,
): Promise<PackedTensors> {
  const bytes = new Uint8Array(size);
  const parts: [Uint8Array, number][] = [];
  eachPart(requests, tensors, (part, at) => parts.push([part, at]));
  const turns = new CopyTurns();
  for (const [part, at] of parts) await turns.copy(part, bytes, at);
  return { buffer: bytes.buffer, tensors };
}

/** Where the tensors go; `packed` is the buffer that has them there already. */
function layOut(requests: readonly (readonly Tensor[])[]) {
  const first = requests[0] ?? [];
  const tensors: PackedTensor[] = [];
  let end = 0;
  for (let i = 0; i < first.length; i += 1) {
    const { name, datatype, shape } = first[i] as Tensor;
    let length = 0;
    let rows = 0;
    for (const request of requests) {
      const tensor = request[i] as Tensor;
      length += tensor.bytes.byteLength;
      rows += tensor.shape[0] ?? 1;
    }
    const offset = alignOffset(end);
    tensors.push({ name, datatype, shape: requests.length === 1 ? shape : [rows, ...shape.slice(1)], offset, length });
    end = offset + length;
  }
  return { tensors, size: end, packed: requests.length === 1 ? packedBefore(first, tensors) : undefined };
}

/** Each request's bytes of each tensor, and where they go. */
function eachPart(
  requests: readonly (readonly Tensor[])[],
  tensors: readonly PackedTensor[],
  visit: (part: Uint8Array, at: number) => void,
): void {
  for (let i = 0; i < tensors.length; i += 1) {
    let at = (tensors[i] as PackedTensor).offset;
    for (const request of requests) {
      const part = (request[i] as Tensor).bytes;
      visit(part, at);
      at += part.byteLength;
    }
  }
}

const handedOver = new WeakSet<ArrayBufferLike>();

/** Says of packed tensors that nobody else needs their memory: a run of this request alone takes it as it is, and it changes hands. */
export function handOver(tensors: readonly Tensor[]): void {
  for (const { bytes } of tensors) handedOver.add(bytes.buffer);
}

/** The buffer that holds the tensors of one request just as they are to be packed; undefined when there is none that may be taken. */
function packedBefore(tensors: readonly Tensor[], wanted: readonly PackedTensor[]): ArrayBuffer | undefined {
  const buffer = tensors[0]?.bytes.buffer;
  if (buffer === undefined || !handedOver.has(buffer)) return undefined;
  const isPacked = tensors.every(({ bytes }, i) => bytes.buffer === buffer && bytes.byteOffset === wanted[i]?.offset);
  return isPacked ? (buffer as ArrayBuffer) : undefined;
}

/** The packed tensors as views into their buffer. */
export function unpack(packed: PackedTensors): Tensor[] {
  return packed.tensors.map(({ name, datatype, shape, offset, length }) => ({
    name,
    datatype,
    shape,
    bytes: new Uint8Array(packed.buffer, offset, length),
  }));
}
