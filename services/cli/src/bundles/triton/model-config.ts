import { AimassError } from "@aimass/core";
import { parseTextFormat, type TextMessage, type TextValue } from "./text-format.ts";

/** An input or output as a config.pbtxt declares it. */
export interface ConfigTensor {
  readonly name: string;
  /** Without "TYPE_". */
  readonly datatype: string;
  /** Without the batch axis, where there is a `maxBatchSize`. */
  readonly dims: readonly number[];
  readonly labelFile: string;
}

/** Which versions Triton serves. */
export type VersionPolicy =
  | { readonly kind: "latest"; readonly count: number }
  | { readonly kind: "all" }
  | { readonly kind: "specific"; readonly versions: readonly string[] };

/** What a config.pbtxt says that means something here. */
export interface ModelConfig {
  readonly name: string;
  /** The backend or platform; "" where it is left to Triton. */
  readonly backend: string;
  /** Undefined where it is left out. */
  readonly maxBatchSize: number | undefined;
  readonly inputs: readonly ConfigTensor[];
  readonly outputs: readonly ConfigTensor[];
  readonly policy: VersionPolicy;
  readonly modelFile: string;
  readonly batchDelayUs: number;
  readonly queueLimit: number;
  readonly priorityLevels: number;
  readonly defaultPriorityLevel: number;
  readonly instances: number;
  /** Names of fields that mean nothing here. */
  readonly left: readonly string[];
}

/** Fields that are read, or whose meaning is that of a model anyway. Those of a message stand after its dot. */
const read = new Set(
  [
    "name backend platform max_batch_size input output version_policy default_model_filename dynamic_batching instance_group".split(
      " ",
    ),
    "name data_type dims format".split(" ").map((field) => `input.${field}`),
    "name data_type dims label_filename".split(" ").map((field) => `output.${field}`),
    "latest all specific latest.num_versions specific.versions".split(" ").map((field) => `version_policy.${field}`),
    "max_queue_delay_microseconds priority_levels default_priority_level default_queue_policy default_queue_policy.max_queue_size"
      .split(" ")
      .map((field) => `dynamic_batching.${field}`),
    ["instance_group.count", "instance_group.name"],
  ].flat(),
);

/** Values that ask for what happens here anyway. */
const asHere: Readonly<Record<string, readonly string[]>> = {
  "instance_group.kind": ["KIND_CPU", "KIND_AUTO"],
  "dynamic_batching.preserve_ordering": ["false"],
  "dynamic_batching.default_queue_policy.timeout_action": ["REJECT"],
  "model_transaction_policy.decoupled": ["false"],
};

/** Reads a config.pbtxt. Errors: INVALID_ARGUMENT with file and line, or the field. */
export function readModelConfig(source: string, file: string): ModelConfig {
  const root = parseTextFormat(source, file);
  const fields = new Fields(root, file);
  const batching = fields.message("dynamic_batching");
  const maxBatchSize = fields.count("max_batch_size");
  return {
    name: fields.text("name"),
    backend: fields.text("backend") || fields.text("platform"),
    maxBatchSize,
    inputs: fields.messages("input").map(tensor),
    outputs: fields.messages("output").map(tensor),
    policy: policyOf(fields.message("version_policy")),
    modelFile: fields.text("default_model_filename") || "model.onnx",
    batchDelayUs: batching?.count("max_queue_delay_microseconds") ?? 0,
    queueLimit: batching?.message("default_queue_policy")?.count("max_queue_size") ?? 0,
    priorityLevels: batching?.count("priority_levels") ?? 0,
    defaultPriorityLevel: batching?.count("default_priority_level") ?? 0,
    instances: fields.messages("instance_group").reduce((sum, group) => sum + (group.count("count") ?? 1), 0),
    left: leftOf(root),
  };
}

function tensor(fields: Fields): ConfigTensor {
  return {
    name: fields.text("name"),
    datatype: fields.text("data_type").replace(/^TYPE_/, ""),
    dims: fields.numbers("dims"),
    labelFile: fields.text("label_filename"),
  };
}

function policyOf(policy: Fields | undefined): VersionPolicy {
  if (policy?.has("all")) return { kind: "all" };
  const specific = policy?.message("specific");
  if (specific !== undefined) return { kind: "specific", versions: specific.numbers("versions").map(String) };
  return { kind: "latest", count: policy?.message("latest")?.count("num_versions") || 1 };
}

/** Every field that is set and not read, once each. */
function leftOf(root: TextMessage): string[] {
  const left = new Set<string>();
  const look = (fields: TextMessage, prefix: string) => {
    for (const [name, values] of fields) {
      const path = `${prefix}${name}`;
      for (const value of values) {
        if (value.kind === "message" && (read.has(path) || hasReadFields(path))) look(value.fields, `${path}.`);
        else if (!read.has(path) && !(value.kind === "word" && asHere[path]?.includes(value.text)))
          left.add(value.kind === "word" ? `${path}: ${value.text}` : path);
      }
    }
  };
  look(root, "");
  return [...left];
}

const hasReadFields = (path: string) => Object.keys(asHere).some((other) => other.startsWith(`${path}.`));

const largestCount = 2 ** 31 - 1;

/** The fields of one message. Errors of its methods: INVALID_ARGUMENT. */
class Fields {
  readonly #fields: TextMessage;
  readonly #file: string;

  constructor(fields: TextMessage, file: string) {
    this.#fields = fields;
    this.#file = file;
  }

  has(name: string): boolean {
    return this.#fields.has(name);
  }

  text(name: string): string {
    const value = this.#values(name).at(-1);
    if (value === undefined) return "";
    if (value.kind === "message") throw this.#wrong(name, "a message, not a value");
    return value.text;
  }

  /** A whole number of 0 or more. */
  count(name: string): number | undefined {
    const number = this.numbers(name).at(-1);
    if (number === undefined || (number >= 0 && number <= largestCount)) return number;
    throw this.#wrong(name, `${number}, not a whole number from 0 to ${largestCount}`);
  }

  numbers(name: string): number[] {
    return this.#values(name).map((value) => {
      const number =
        value.kind === "word" && /^-?(\d+|0x[\da-f]+)$/i.test(value.text) ? wholeOf(value.text) : Number.NaN;
      if (!Number.isSafeInteger(number)) throw this.#wrong(name, "no whole number");
      return number;
    });
  }

  messages(name: string): Fields[] {
    return this.#values(name).map((value) => {
      if (value.kind !== "message") throw this.#wrong(name, "no message in braces");
      return new Fields(value.fields, this.#file);
    });
  }

  /** Several of one are one, as protobuf merges them. */
  message(name: string): Fields | undefined {
    const all = this.messages(name);
    return all.length < 2 ? all[0] : new Fields(new Map(all.flatMap((one) => [...one.#fields])), this.#file);
  }

  #values(name: string): readonly TextValue[] {
    return this.#fields.get(name) ?? [];
  }

  #wrong(name: string, what: string): AimassError {
    return new AimassError("INVALID_ARGUMENT", `${this.#file}: ${name} is ${what}.`, {
      remedy: "Write it as Triton's model_config.proto declares it.",
    });
  }
}

const wholeOf = (text: string) => (text.startsWith("-") ? -Number(text.slice(1)) : Number(text));
