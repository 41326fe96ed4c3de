import type { RowVerdict } from "@aimass/onnx";
import type { PackedTensors } from "../batching/packed-tensors.ts";
import type { SessionOptions } from "./open-model.ts";
import type { Probe } from "./probe-run.ts";

/** What a slot's thread is started with. */
export interface SlotStart {
  /** The crash note's file and this slot's record in it. */
  readonly notePath: string;
  readonly noteRecord: number;
  /** The memory of the slot's RunTickets. */
  readonly tickets: SharedArrayBuffer;
}

/** What the main thread asks of a slot. Asks are done one at a time, in order. */
export type SlotRequest =
  | {
      readonly kind: "load";
      readonly id: number;
      readonly session: number;
      readonly options: SessionOptions;
      readonly note: Uint8Array;
    }
  | ({ readonly kind: "run"; readonly id: number; readonly session: number; readonly ticket: number } & PackedTensors)
  | { readonly kind: "probe"; readonly id: number; readonly session: number; readonly probe: Probe }
  | { readonly kind: "release"; readonly id: number; readonly session: number }
  | { readonly kind: "stop" };

/** What a slot answers: no outputs for what is no run, and for a run that was taken back. */
export type SlotReply =
  | {
      readonly id: number;
      readonly ok: true;
      readonly micros: number;
      readonly outputs?: PackedTensors;
      readonly digest?: Uint8Array;
      readonly rows?: RowVerdict;
    }
  | { readonly id: number; readonly ok: false; readonly message: string };

/** Buffers from this size on change hands; smaller ones are cheaper to copy. */
export const transferFromBytes = 4096;
