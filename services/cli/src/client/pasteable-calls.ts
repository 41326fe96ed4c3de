import type { RestTensor } from "./rest-inference.ts";

/** Programs that call a model once, ready to paste; the key is in AIMASS_API_KEY. */
export interface PasteableCalls {
  readonly curl: string;
  readonly python: string;
  readonly typescript: string;
}

/** Longer lists are written as what fills them. */
const mostWritten = 64;

/** Calls with these inputs. `halves`: by `/predict`, because REST v2's JSON has no FP16 and BF16. */
export function pasteableCalls(o: {
  server: string;
  model: string;
  inputs: readonly RestTensor[];
  halves?: boolean;
}): PasteableCalls {
  const url = o.halves ? `${o.server}/models/${o.model}/predict` : `${o.server}/v2/models/${o.model}/infer`;
  const body = o.halves ? columnsText(o.inputs) : tensorsText(o.inputs);
  return { curl: curlCall(url, body), python: pythonCall(o), typescript: typescriptCall(url, body) };
}

function tensorsText(inputs: readonly RestTensor[]): string {
  const tensors = inputs.map(({ name, datatype, shape, data }) => {
    return `{"name":${JSON.stringify(name)},"datatype":"${datatype}","shape":${JSON.stringify(shape)},"data":${listText(data)}}`;
  });
  return `{"inputs":[${tensors.join(",")}]}`;
}

function columnsText(inputs: readonly RestTensor[]): string {
  const columns = inputs.map(({ name, shape, data }) => `${JSON.stringify(name)}:${nestedText(shape, data)}`);
  return `{"inputs":{${columns.join(",")}}}`;
}

function listText(data: readonly unknown[]): string {
  return data.length > mostWritten && isUniform(data)
    ? filled(data.length, JSON.stringify(data[0]))
    : JSON.stringify(data);
}

function nestedText(shape: readonly number[], data: readonly unknown[]): string {
  const [length, ...rest] = shape;
  if (length === undefined) return JSON.stringify(data[0]);
  if (rest.length === 0) return listText(data);
  const each = rest.reduce((product, axis) => product * axis, 1);
  if (data.length > mostWritten && isUniform(data)) return filled(length, nestedText(rest, data.slice(0, each)));
  return `[${Array.from({ length }, (_, i) => nestedText(rest, data.slice(i * each, (i + 1) * each))).join(",")}]`;
}

const isUniform = (data: readonly unknown[]) => data.every((value) => value === data[0]);
const filled = (length: number, element: string) => `Array(${length}).fill(${element})`;
const isJson = (body: string) => {
  try {
    JSON.parse(body);
    return true;
  } catch {
    return false;
  }
};

/** In single quotes for a shell. */
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

function curlCall(url: string, body: string): string {
  const call = `curl -s ${url} -H "authorization: Bearer $AIMASS_API_KEY" -H 'content-type: application/json'`;
  return isJson(body) ? `${call} -d ${quoted(body)}` : `node -pe ${quoted(`JSON.stringify(${body})`)} | ${call} -d @-`;
}

function typescriptCall(url: string, body: string): string {
  return [
    `const response = await fetch("${url}", {`,
    '  method: "POST",',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the text is a program for the reader to paste
    '  headers: { "content-type": "application/json", authorization: `Bearer ${process.env.AIMASS_API_KEY}` },',
    `  body: JSON.stringify(${body}),`,
    "});",
    "console.log(await response.json());",
  ].join("\n");
}

function pythonCall({
  server,
  model,
  inputs,
}: {
  server: string;
  model: string;
  inputs: readonly RestTensor[];
}): string {
  const { host, protocol } = new URL(server);
  return [
    "import os, numpy as np, tritonclient.grpc as triton",
    `client = triton.InferenceServerClient("${host}"${protocol === "https:" ? ", ssl=True" : ""})`,
    "inputs = []",
    ...inputs.flatMap((t) => [
      `value = ${numpyValue(t)}`,
      `inputs.append(triton.InferInput(${JSON.stringify(t.name)}, value.shape, "${t.datatype}")); inputs[-1].set_data_from_numpy(value)`,
    ]),
    `answer = client.infer("${model}", inputs, headers={"authorization": "Bearer " + os.environ["AIMASS_API_KEY"]})`,
    "print(answer.get_response())",
  ].join("\n");
}

/** BF16 is missing in NumPy: tritonclient takes float32 for it. */
const numpyTypes: Readonly<Record<string, string>> = {
  BOOL: "bool_",
  BYTES: "object_",
  FP16: "float16",
  FP32: "float32",
  FP64: "float64",
  INT8: "int8",
  INT16: "int16",
  INT32: "int32",
  INT64: "int64",
  UINT8: "uint8",
  UINT16: "uint16",
  UINT32: "uint32",
  UINT64: "uint64",
};

function numpyValue({ datatype, shape, data }: RestTensor): string {
  const lengths = `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
  const dtype = `dtype=np.${numpyTypes[datatype] ?? "float32"}`;
  if (isUniform(data)) return `np.full(${lengths}, ${pythonElement(data[0])}, ${dtype})`;
  return `np.array([${data.map(pythonElement).join(", ")}], ${dtype}).reshape(${lengths})`;
}

function pythonElement(value: unknown): string {
  if (typeof value === "string") return `${JSON.stringify(value)}.encode()`;
  if (typeof value === "boolean") return value ? "True" : "False";
  return String(value ?? 0);
}
