import { availableParallelism } from "node:os";
import type { TestMesh } from "../../support/test-mesh.ts";
import type { Check, Finding } from "../check.ts";
import { listCases, notRepresentable, type OnnxCase } from "../onnx/case.ts";
import { runDirectly } from "../onnx/direct-run.ts";
import { runServed } from "../onnx/served-run.ts";
import { PythonEnvironment } from "../python-environment.ts";

/** Fewer cases than this that onnxruntime-node passes means that the tests were not found, not that all is well. */
const leastCases = 1000;

/** One of so many parts, of about the same size, that a set is divided into; counted from 1. */
export interface SetPart {
  readonly part: number;
  readonly of: number;
}

interface OnnxTestOptions {
  /** Only cases with this in their name. */
  readonly only?: string | undefined;
  /** Default: all. */
  readonly part?: SetPart | undefined;
  readonly tell: (line: string) => void;
}

/** ONNX's own backend tests: what onnxruntime-node passes must be served with the same outputs. */
export function onnxTests(mesh: TestMesh, options: OnnxTestOptions): Check {
  return {
    name: "ONNX backend tests",
    level: "ci",
    needs: ["python3"],
    run: async () => {
      const { part, of } = options.part ?? { part: 1, of: 1 };
      const named = (await exportedCases()).filter((one) => one.name.includes(options.only ?? ""));
      const cases = named.filter((_, index) => index % of === part - 1);
      const unrepresentable = new Map(cases.map((one) => [one.name, notRepresentable(one)]));
      const candidates = cases.filter((one) => unrepresentable.get(one.name) === undefined);
      options.tell(`${cases.length} cases, ${candidates.length} the protocol can carry`);
      const direct = await runDirectly(candidates, Math.min(4, availableParallelism()));
      const set = candidates.filter((one) => direct.get(one.name) === undefined);
      options.tell(`onnxruntime-node passes ${set.length} of them`);
      const served = await runServed(mesh, set, options.tell);
      const least = options.only === undefined ? leastCases / of : 0;
      return summary({ cases, unrepresentable, direct, served, least });
    },
  };
}

async function exportedCases(): Promise<OnnxCase[]> {
  const python = await PythonEnvironment.open();
  const folder = python.folder("onnx-backend-tests");
  await python.run("export_node_tests.py", [folder], 300_000);
  return listCases(folder);
}

function summary(o: {
  cases: readonly OnnxCase[];
  unrepresentable: ReadonlyMap<string, string | undefined>;
  direct: ReadonlyMap<string, string | undefined>;
  served: ReadonlyMap<string, string | undefined>;
  least: number;
}): Finding[] {
  const failed = [...o.served].filter(([, problem]) => problem !== undefined);
  const notCarried = [...o.unrepresentable.values()].filter((reason) => reason !== undefined).length;
  const refused = [...o.direct.values()].filter((problem) => problem !== undefined).length;
  const passed = o.served.size - failed.length;
  const table = `${o.cases.length} cases: ${passed} passed, ${notCarried} not representable in the protocol, ${failed.length} failed; ${refused} more onnxruntime-node itself does not pass`;
  const enough = o.served.size >= o.least;
  const note = enough ? table : `${table}: too few to show anything`;
  return [
    { name: "ONNX backend tests", outcome: failed.length === 0 && enough ? "passed" : "failed", note },
    ...failed.map(([name, problem]) => ({ name: `ONNX ${name}`, outcome: "failed" as const, note: problem ?? "" })),
  ];
}
