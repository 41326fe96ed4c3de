import { type AnswerForm, encodePredict, encodeRestInfer, type InferResponse, type RestAsked } from "@aimass/oip";

/** An answer that is to be written as JSON, or as JSON with binary data. */
export type Answer =
  | { readonly kind: "rest"; readonly response: InferResponse; readonly asked: RestAsked }
  | { readonly kind: "predict"; readonly response: Pick<InferResponse, "outputs">; readonly form: AnswerForm };

export interface WrittenAnswer {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** Encodes an answer. Throws as the encoders do. */
export function writeAnswer(answer: Answer): WrittenAnswer {
  if (answer.kind === "rest") return encodeRestInfer(answer.response, answer.asked);
  return { headers: { "content-type": "application/json" }, body: encodePredict(answer.response, answer.form) };
}
