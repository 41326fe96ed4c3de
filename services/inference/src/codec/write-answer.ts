import {
  type AnswerForm,
  encodePredict,
  encodePredictCsv,
  encodeRestInfer,
  type InferResponse,
  type RestAsked,
} from "@aimass/oip";

/** An answer that is to be written as JSON, or as JSON with binary data. */
export type Answer =
  | { readonly kind: "rest"; readonly response: InferResponse; readonly asked: RestAsked }
  | {
      readonly kind: "predict";
      readonly response: Pick<InferResponse, "outputs">;
      readonly form: AnswerForm;
      readonly asCsv: boolean;
    };

export interface WrittenAnswer {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** Encodes an answer. Throws as the encoders do. */
export function writeAnswer(answer: Answer): WrittenAnswer {
  if (answer.kind === "rest") return encodeRestInfer(answer.response, answer.asked);
  const table = answer.asCsv ? encodePredictCsv(answer.response, answer.form) : undefined;
  if (table !== undefined) return { headers: { "content-type": "text/csv; charset=utf-8" }, body: table };
  return { headers: { "content-type": "application/json" }, body: encodePredict(answer.response, answer.form) };
}
