/** A caller who sends big JSON, on a thread of its own: making such bodies holds up nobody who measures. Fails at the first answer that is not the due one. */
import { workerData } from "node:worker_threads";
import { AimassError } from "@aimass/core";
import type { BigJsonCaller } from "./big-json.ts";

/** Of each body. */
const bodyBytes = 30_000_000;
/** A body that is sent, and the status that it must get. */
interface BigBody {
  readonly what: string;
  readonly path: string;
  readonly status: number;
  readonly make: () => Buffer;
}

const numbers = "/v2/models/big-numbers/infer";
const words = "/v2/models/big-words/infer";
const rows = "/models/big-numbers/predict";
const endless = (text: string) => Buffer.alloc(bodyBytes, text);

const bodies: readonly BigBody[] = [
  { what: "numbers", path: numbers, status: 200, make: () => tensor("FP32", (i) => `${i % 1000}.125`) },
  {
    what: "strings",
    path: words,
    status: 200,
    // Long ones: a run of a million short strings keeps a slot for seconds, which is another matter.
    make: () => tensor("BYTES", (i) => JSON.stringify(`${'words, "words": '.repeat(20)}${i}`)),
  },
  { what: "lists of numbers", path: rows, status: 200, make: () => listed('{"inputs":[', (i) => `{"x":${i}}`, "]}") },
  {
    what: "a row of many keys",
    path: rows,
    status: 200,
    make: () => listed('{"inputs":[{"x":1,', (i) => `"k${i}":1`, "}]}"),
  },
  {
    what: "parameters of many keys",
    path: numbers,
    status: 400,
    make: () => listed('{"inputs":[],"parameters":{', (i) => `"k${i}":1`, "}}"),
  },
  {
    what: "lists in lists",
    path: rows,
    status: 400,
    make: () => Buffer.concat([Buffer.from('{"inputs":'), endless("[")]),
  },
  {
    what: "objects in objects",
    path: numbers,
    status: 400,
    make: () => Buffer.concat([Buffer.from('{"inputs":'), endless('{"a":')]),
  },
  { what: "strings where numbers belong", path: numbers, status: 400, make: () => tensor("FP32", (i) => `"${i}"`) },
  {
    what: "numbers, broken at the end",
    path: numbers,
    status: 400,
    make: () => tensor("FP32", (i) => `${i % 10}`).subarray(0, -3),
  },
  {
    what: "one endless string",
    path: words,
    status: 400,
    make: () => Buffer.concat([Buffer.from('{"inputs":"'), endless("a")]),
  },
];

const { address, apiKey, first, step } = workerData as BigJsonCaller;

for (const body of bodies.filter((_, i) => i % step === first)) await send(body);

async function send({ what, path, status, make }: BigBody): Promise<void> {
  const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" };
  const answer = await fetch(`http://${address}${path}`, { method: "POST", headers, body: new Uint8Array(make()) });
  const text = await answer.text();
  if (answer.status === status) return;
  throw new AimassError("INTERNAL", `${what}: ${answer.status} instead of ${status}: ${text.slice(0, 300)}`);
}

/** `bodyBytes` of what repeats, parted by commas, between a beginning and an end. */
function listed(begin: string | ((count: number) => string), write: (index: number) => string, end: string): Buffer {
  const parts: string[] = [];
  for (let bytes = 0; bytes < bodyBytes; bytes += (parts.at(-1)?.length ?? 0) + 1) parts.push(write(parts.length));
  return Buffer.from(`${typeof begin === "string" ? begin : begin(parts.length)}${parts.join(",")}${end}`);
}

function tensor(datatype: string, write: (index: number) => string): Buffer {
  return listed((n) => `{"inputs":[{"name":"x","datatype":"${datatype}","shape":[${n}],"data":[`, write, "]}]}");
}
