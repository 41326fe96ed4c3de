/** Runs in the browser: calls a model through Connect's own web transports and leaves what it saw in `window.findings`. */
import { GRPCInferenceService } from "@aimass/api/inference";
import { connect, tensor } from "@aimass/client";
import { createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";

interface PageFinding {
  readonly name: string;
  readonly outcome: "passed" | "failed";
  readonly note: string;
}

interface PageWindow {
  readonly location: { readonly hash: string };
  findings?: PageFinding[];
}

const page = globalThis as unknown as PageWindow;
const { baseUrl, apiKey } = JSON.parse(decodeURIComponent(page.location.hash.slice(1))) as Record<string, string>;
const headers = { authorization: `Bearer ${apiKey}` };

async function callModel(transport: Transport): Promise<string> {
  const client = createClient(GRPCInferenceService, transport);
  const values = [1, 3, 2];
  const answer = await client.modelInfer(
    {
      modelName: "softmax",
      inputs: [{ name: "x", datatype: "FP32", shape: [1n, 3n], contents: { fp32Contents: values } }],
    },
    { headers },
  );
  const raw = answer.rawOutputContents[0] as Uint8Array;
  const scores = new Float32Array(raw.slice().buffer);
  const exponents = values.map(Math.exp);
  const total = exponents.reduce((sum, value) => sum + value, 0);
  exponents.forEach((value, index) => {
    if (Math.abs((scores[index] ?? 0) - value / total) > 1e-5) throw new Error(`score ${index} is ${scores[index]}`);
  });
  return `scores ${[...scores].map((score) => score.toFixed(3)).join(", ")}`;
}

async function refused(transport: Transport): Promise<string> {
  const client = createClient(GRPCInferenceService, transport);
  try {
    await client.modelMetadata({ name: "no-such-model" }, { headers });
  } catch (error) {
    const message = (error as Error).message;
    if (message.includes("not_found")) return message;
    throw error;
  }
  throw new Error("no error came");
}

async function check(name: string, step: () => Promise<string>): Promise<PageFinding> {
  try {
    return { name, outcome: "passed", note: await step() };
  } catch (error) {
    return { name, outcome: "failed", note: String(error) };
  }
}

const transports: Record<string, Transport> = {
  "Connect, JSON": createConnectTransport({ baseUrl: baseUrl as string }),
  "Connect, binary": createConnectTransport({ baseUrl: baseUrl as string, useBinaryFormat: true }),
  "gRPC-Web": createGrpcWebTransport({ baseUrl: baseUrl as string }),
};
const findings: PageFinding[] = [];
for (const [name, transport] of Object.entries(transports)) {
  findings.push(await check(`browser: ${name}`, () => callModel(transport)));
  findings.push(await check(`browser: ${name}, an error`, () => refused(transport)));
}
findings.push(
  await check("browser: @aimass/client", async () => {
    const model = connect(baseUrl as string, { credential: apiKey as string }).model("softmax");
    const [scores] = Object.values(await model.infer({ x: tensor("FP32", [1, 3], [1, 3, 2]) }));
    const inferred = scores?.data as Float32Array;
    const predicted = (await model.predict([[1, 3, 2]])).predictions[0] as number[];
    if (!predicted.every((score, at) => Math.abs(score - (inferred[at] ?? 0)) < 1e-6)) throw new Error(`${predicted}`);
    return `scores ${predicted.map((score) => score.toFixed(3)).join(", ")}`;
  }),
);
page.findings = findings;
