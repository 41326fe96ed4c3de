import { ModelService } from "@aimass/api/registry";
import { ConnectError } from "@connectrpc/connect";
import type { Connection } from "./connection.ts";
import type { OutputWish, RestAnswer, RestMetadata } from "./rest-inference.ts";

/** What a classifier says of one row: its classes with their probabilities, the likeliest first; or with scores, where those are no probabilities. */
export type Prediction =
  | { readonly label: string; readonly probabilities: Readonly<Record<string, number>> }
  | { readonly label: string; readonly scores: Readonly<Record<string, number>> };

/** A version as the registry takes it; `version`: digits, an alias, or empty for the default. */
export interface VersionName {
  readonly project: string;
  readonly model: string;
  readonly version: string;
}

const mostClasses = 1000;
/** Names are not worth a longer wait. */
const namesWithinMs = 5000;
/** What single precision makes of a sum of 1. */
const sumWithin = 1e-3;

/**
 * The output that scores a classifier's classes: by its name where a `label` stands beside it, else the one whose classes the registry names. Undefined for what is
 * no classifier, or where the caller may not see the version.
 */
export async function scoresOutput(
  connection: Connection,
  version: VersionName,
  { outputs }: RestMetadata,
): Promise<string | undefined> {
  const names = outputs.map(({ name }) => name);
  const scores = names.find((name) => /^(?:predicted_)*probabilities$/.test(name));
  if (scores !== undefined && names.includes(scores.replace("probabilities", "label"))) return scores;
  const numeric = outputs.filter(({ datatype }) => datatype !== "BYTES" && datatype !== "BF16");
  if (numeric.length === 0) return undefined;
  const named = await namedOutputs(connection, version);
  return numeric.find(({ name }) => named.has(name))?.name;
}

/** The outputs to ask for, so that the scores come with the names of the classes; undefined: all as they are. */
export function classifierOutputs({ outputs }: RestMetadata, scores: string | undefined): OutputWish[] | undefined {
  if (scores === undefined) return undefined;
  return outputs.map(({ name }) =>
    name === scores ? { name, parameters: { classification: mostClasses } } : { name },
  );
}

/** Reads "score:index:class" elements (Triton's classification extension) of the output of scores. */
export function predictionsOf(answer: RestAnswer, scores: string | undefined): Prediction[] {
  const ranked = answer.outputs.find(({ name }) => name === scores);
  if (ranked === undefined || ranked.datatype !== "BYTES") return [];
  const classes = ranked.shape.at(-1) ?? 0;
  const all = ranked.data.map((element) => {
    const [, score = "", index = "", label] = /^([^:]*):(\d+)(?::([\s\S]*))?$/.exec(String(element)) ?? [];
    return [label ?? index, Number(score)] as const;
  });
  const rows = classes === 0 ? 0 : all.length / classes;
  return Array.from({ length: rows }, (_, row) => predictionOf(all.slice(row * classes, (row + 1) * classes)));
}

function predictionOf(ranked: readonly (readonly [label: string, score: number])[]): Prediction {
  const label = ranked[0]?.[0] ?? "";
  const byClass = Object.fromEntries(ranked);
  return areProbabilities(ranked.map(([, score]) => score))
    ? { label, probabilities: byClass }
    : { label, scores: byClass };
}

/** Of more classes than were asked for, the rest is missing in the sum. */
function areProbabilities(scores: readonly number[]): boolean {
  const sum = scores.reduce((total, score) => total + score, 0);
  const isWhole = scores.length === mostClasses ? sum <= 1 + sumWithin : Math.abs(sum - 1) <= sumWithin;
  return isWhole && scores.every((score) => score >= 0 && score <= 1 + sumWithin);
}

async function namedOutputs(connection: Connection, name: VersionName): Promise<ReadonlySet<string>> {
  try {
    const client = connection.client(ModelService);
    const { version } = await client.getVersion(name, { timeoutMs: namesWithinMs });
    const outputs = version?.signature?.outputs ?? [];
    return new Set(outputs.filter(({ labels }) => labels.length > 0).map((output) => output.name));
  } catch (error) {
    if (error instanceof ConnectError) return new Set();
    throw error;
  }
}
