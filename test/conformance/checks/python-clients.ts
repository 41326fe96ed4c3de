import type { TestMesh } from "../../support/test-mesh.ts";
import type { Check, Finding } from "../check.ts";
import { tail } from "../program.ts";
import { PythonEnvironment, type PythonKind } from "../python-environment.ts";

const scriptTimeoutMs = 180_000;

/** Clients written by others, unchanged: Triton's over gRPC and HTTP, grpcio's reflection, KServe's and MLflow's. */
export function pythonClients(mesh: TestMesh): Check[] {
  return [
    script("tritonclient gRPC", "triton_grpc.py", mesh),
    script("tritonclient HTTP", "triton_http.py", mesh),
    script("gRPC reflection", "reflection.py", mesh),
    script("serving clients", "serving_clients.py", mesh, "serving"),
  ];
}

function script(name: string, file: string, mesh: TestMesh, environment: PythonKind = "clients"): Check {
  return {
    name,
    level: "ci",
    needs: ["python3"],
    run: async () => {
      const python = await PythonEnvironment.open(environment);
      const output = await python.run(file, [mesh.address(), mesh.apiKey], scriptTimeoutMs);
      return output.split("\n").filter(Boolean).map(parseFinding);
    },
  };
}

function parseFinding(line: string): Finding {
  try {
    return JSON.parse(line) as Finding;
  } catch {
    return { name: "a script's output", outcome: "failed", note: tail(line) };
  }
}
