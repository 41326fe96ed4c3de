import type { Tensor } from "@aimass/oip";
import type { ServingPlan } from "../servables/serving-plan.ts";
import type { Ranking } from "./ranking.ts";
import type { CallBody, readAndCheck } from "./read-call.ts";
import type { Answer, WrittenAnswer } from "./write-answer.ts";

/** What the codec's threads are asked. */
export type CodecAsk =
  | { readonly read: CallBody; readonly plan: ServingPlan }
  | { readonly write: Answer }
  | { readonly rank: readonly Ranking[] };

/** What they answer. */
export type CodecReply =
  | { readonly read: ReturnType<typeof readAndCheck> }
  | { readonly written: WrittenAnswer }
  | { readonly ranked: readonly Tensor[] };

/** The memory behind some views, each once. */
export function buffersOf(views: readonly Uint8Array[]): ArrayBuffer[] {
  return [...new Set(views.map(({ buffer }) => buffer as ArrayBuffer))];
}
