import type { OutputWish, RestAnswer, RestMetadata } from "./rest-inference.ts";

/** What a classifier says of one row: its classes with their probabilities, the likeliest first. */
export interface Prediction {
  readonly label: string;
  readonly probabilities: Readonly<Record<string, number>>;
}

const mostClasses = 1000;

/** The outputs to ask a classifier for, so that its probabilities come with the names of the classes; undefined for what is none. */
export function classifierOutputs({ outputs }: RestMetadata): OutputWish[] | undefined {
  const names = outputs.map(({ name }) => name);
  if (!names.includes("label") || !names.includes("probabilities")) return undefined;
  return names.map((name) =>
    name === "probabilities" ? { name, parameters: { classification: mostClasses } } : { name },
  );
}

/** Reads "probability:index:class" elements (Triton's classification extension). */
export function predictionsOf(answer: RestAnswer): Prediction[] {
  const ranked = answer.outputs.find(({ name }) => name === "probabilities");
  if (ranked === undefined || ranked.datatype !== "BYTES") return [];
  const classes = ranked.shape.at(-1) ?? 0;
  const all = ranked.data.map((element) => {
    const [, score = "", index = "", label] = /^([^:]*):(\d+)(?::([\s\S]*))?$/.exec(String(element)) ?? [];
    return [label ?? index, Number(score)] as const;
  });
  const rows = classes === 0 ? 0 : all.length / classes;
  return Array.from({ length: rows }, (_, row) => {
    const own = all.slice(row * classes, (row + 1) * classes);
    return { label: own[0]?.[0] ?? "", probabilities: Object.fromEntries(own) };
  });
}
