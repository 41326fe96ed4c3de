import { GRPCInferenceService, type ModelInferResponse } from "@aimass/api/inference";
import { AimassError } from "@aimass/core/errors";
import { createClient } from "@connectrpc/connect";
import type { Connection } from "./connection.ts";
import { errorOfResponse } from "./errors.ts";
import { retried } from "./retry.ts";
import { rawContents, type Tensor, tensorOf } from "./tensor.ts";

/** What a row of a model and its prediction look like; `aimass models types` writes it. */
export interface ModelShape {
  readonly row: unknown;
  readonly prediction: unknown;
}

export interface Predictions<P> {
  /** One for each row, in their order. NaN and infinities are "NaN", "Infinity" and "-Infinity". */
  readonly predictions: readonly P[];
  /** Names of the classes of an output's last axis, by output. */
  readonly classes: Readonly<Record<string, readonly string[]>>;
  /** The version that answered, or all that did where an alias moved meanwhile. */
  readonly versions: readonly string[];
}

export interface PredictOptions {
  readonly signal?: AbortSignal;
  /** Requests at once. Default: 4. */
  readonly parallel?: number;
}

/** A request has about so many bytes of rows. */
const requestBytes = 1 << 20;

/** A deployed model, called at `version`: a number, an alias, or "" for what is deployed as default. */
export class Model<Shape extends ModelShape> {
  readonly name: string;
  readonly version: string;
  readonly #connection: Connection;

  constructor(connection: Connection, name: string, version = "") {
    this.#connection = connection;
    this.name = name;
    this.version = version;
  }

  /** The same model, called by a version or an alias. */
  at(version: string | number | bigint): Model<Shape> {
    return new Model(this.#connection, this.name, String(version));
  }

  /**
   * Predicts rows: objects by the names of the model's columns (others are passed over), or values of its one input. Many go in requests of about 1 MB. A call
   * is repeated while the mesh cannot take it. Rejects with an AimassError, and with nothing of the predictions, where one request is refused.
   */
  async predict(
    rows: readonly Shape["row"][],
    { signal, parallel = 4 }: PredictOptions = {},
  ): Promise<Predictions<Shape["prediction"]>> {
    const parts = partsOf(rows);
    const answers: Answer[] = new Array(parts.length);
    let next = 0;
    const work = async () => {
      while (next < parts.length) {
        const at = next++;
        try {
          answers[at] = await this.#predict(parts[at] as Part, signal);
        } catch (error) {
          // Nothing comes of what is not sent yet.
          next = parts.length;
          throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(parallel, parts.length) }, work));
    return {
      predictions: answers.flatMap((answer) => answer.predictions as Shape["prediction"][]),
      classes: answers[0]?.classes ?? {},
      versions: [...new Set(answers.map((answer) => answer.version))],
    };
  }

  /** Runs the model on tensors, by the names of its inputs; gives its outputs by name. */
  async infer(
    inputs: Readonly<Record<string, Tensor>>,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<Readonly<Record<string, Tensor>>> {
    const given = Object.entries(inputs);
    const request = {
      modelName: this.name,
      modelVersion: this.version,
      inputs: given.map(([name, { datatype, shape }]) => ({ name, datatype, shape: shape.map(BigInt) })),
      rawInputContents: given.map(([, one]) => rawContents(one)),
    };
    const client = createClient(GRPCInferenceService, this.#connection.transport);
    const call = () => client.modelInfer(request, { ...(signal && { signal }) });
    return outputsOf(await retried(call, this.#connection.retry, signal));
  }

  #predict({ body, rows }: Part, signal: AbortSignal | undefined): Promise<Answer> {
    const at = this.version === "" ? "" : `/versions/${encodeURIComponent(this.version)}`;
    const path = `/models/${encodeURIComponent(this.name)}${at}/predict`;
    const once = async () => {
      const { response, text } = await this.#connection.post(path, body, signal);
      if (!response.ok) throw errorOfResponse(response, text);
      const answer = { ...(JSON.parse(text) as Answer), version: response.headers.get("aimass-version") ?? "" };
      if (!Array.isArray(answer.predictions) || answer.predictions.length !== rows) throw this.#notByRow();
      return answer;
    };
    return retried(once, this.#connection.retry, signal);
  }

  #notByRow(): AimassError {
    return new AimassError("FAILED_PRECONDITION", `The outputs of ${this.name} are not by the rows of its inputs.`, {
      remedy: "Call infer() with its tensors.",
    });
  }
}

interface Answer {
  readonly predictions: unknown;
  readonly classes?: Readonly<Record<string, readonly string[]>>;
  readonly version: string;
}

interface Part {
  readonly body: string;
  readonly rows: number;
}

function partsOf(rows: readonly unknown[]): Part[] {
  const parts: Part[] = [];
  let texts: string[] = [];
  let bytes = 0;
  const end = () => {
    if (texts.length > 0) parts.push({ body: `{"inputs":[${texts.join(",")}]}`, rows: texts.length });
    texts = [];
    bytes = 0;
  };
  for (const row of rows) {
    // What JSON has no word for is a gap, as null is.
    const text = JSON.stringify(row) ?? "null";
    if (bytes + text.length > requestBytes) end();
    texts.push(text);
    bytes += text.length;
  }
  end();
  return parts;
}

function outputsOf({ outputs, rawOutputContents }: ModelInferResponse): Record<string, Tensor> {
  return Object.fromEntries(
    outputs.map(({ name, datatype, shape }, index) => [
      name,
      tensorOf(datatype, shape.map(Number), rawOutputContents[index] ?? new Uint8Array()),
    ]),
  );
}
