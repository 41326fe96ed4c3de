import type { RowVerdict } from "@aimass/onnx";
import type { PackedTensors } from "../batching/packed-tensors.ts";
import type { Probe } from "./probe-run.ts";

/** What a slot's thread is started with. */
export interface SlotStart {
  /** The crash note's file and this slot's record in it. */
  readonly notePath: string;
  readonly noteRecord: number;
  /** The memory of the slot's RunTickets. */
  readonly tickets: SharedArrayBuffer;
}

/** How a session is made. */
export interface SessionOptions {
  /** Path of the graph; external data lies beside it. */
  readonly path: string;
  readonly threads: number;
  /** Whether an input or an output is BF16. */
  readonly hasBfloat16: boolean;
  /** Whether to say if the graph keeps rows apart: of versions inspected before that was asked. */
  readonly analysesRows: boolean;
  /** In order of preference: "cuda", "cpu" … */
  readonly executionProviders: readonly string[];
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
