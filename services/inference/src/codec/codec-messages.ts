import { AimassError, type Code } from "@aimass/core";
import type { ServingPlan } from "../servables/serving-plan.ts";
import type { CallBody, readAndCheck } from "./read-call.ts";
import type { Answer, WrittenAnswer } from "./write-answer.ts";

/** What the codec's thread is asked. */
export type CodecAsk = { readonly read: CallBody; readonly plan: ServingPlan } | { readonly write: Answer };

/** What it answers. */
export type CodecReply =
  | { readonly read: ReturnType<typeof readAndCheck> }
  | { readonly written: WrittenAnswer }
  | { readonly refusal: Refusal };

/** An AimassError without its prototype, which messages lose. */
export interface Refusal {
  readonly code: Code;
  readonly message: string;
  readonly reason: string | undefined;
  readonly field: string | undefined;
  readonly remedy: string | undefined;
}

export function toRefusal(error: unknown): Refusal {
  const { code, message, reason, field, remedy } = AimassError.from(error);
  return { code, message, reason, field, remedy };
}

export function fromRefusal({ code, message, reason, field, remedy }: Refusal): AimassError {
  return new AimassError(code, message, {
    ...(reason !== undefined && { reason }),
    ...(field !== undefined && { field }),
    ...(remedy !== undefined && { remedy }),
  });
}

/** The memory behind some views, each once. */
export function buffersOf(views: readonly Uint8Array[]): ArrayBuffer[] {
  return [...new Set(views.map(({ buffer }) => buffer as ArrayBuffer))];
}
