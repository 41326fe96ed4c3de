import { rmSync } from "node:fs";
import type { TestMesh } from "../../support/test-mesh.ts";
import type { Check, Finding } from "../check.ts";
import { listCases } from "../onnx/case.ts";
import { runServed } from "../onnx/served-run.ts";
import { PythonEnvironment } from "../python-environment.ts";

/** What exporters write by default must be served with the outputs that Python's onnxruntime gives for the file. */
export function exporters(mesh: TestMesh, options: { only?: string | undefined; tell: (line: string) => void }): Check {
  return {
    name: "exporters",
    level: "ci",
    needs: ["python3"],
    run: async () => {
      const python = await PythonEnvironment.open("exporters");
      const folder = python.folder("exported");
      rmSync(folder, { recursive: true, force: true });
      await python.run("exporters.py", [folder], 120_000);
      const cases = listCases(folder).filter(({ name }) => name.includes(options.only ?? ""));
      const served = await runServed(mesh, cases, options.tell, "exported");
      return [...served].map(
        ([name, problem]): Finding => ({
          name: `exporters: ${name}`,
          outcome: problem === undefined ? "passed" : "failed",
          note: problem ?? "",
        }),
      );
    },
  };
}
