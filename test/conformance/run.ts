/**
 * What clients written by others see of a running mesh: `npm run conformance`. With `--only=TEXT` only checks whose name has it, with
 * `--case=TEXT` only those ONNX tests, with `--part=2/3` the second of three parts of ONNX's, with `--json FILE` the findings as JSON too. With `--prepare` it installs what the checks need, and ends.
 */
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { type Finding, runCheck } from "./check.ts";
import { browserCheck, PageServer } from "./checks/browser.ts";
import { consoleCheck } from "./checks/console.ts";
import { exporters } from "./checks/exporters.ts";
import { onnxTests, type SetPart } from "./checks/onnx-tests.ts";
import { perfAnalyzer } from "./checks/perf-analyzer.ts";
import { curl, notebookPort, predictSnippet } from "./checks/plain-http.ts";
import { pythonClients } from "./checks/python-clients.ts";
import { pythonPackage } from "./checks/python-package.ts";
import { typescriptPackage } from "./checks/typescript-package.ts";
import { startConformanceMesh } from "./mesh.ts";
import { PythonEnvironment, pythonKinds } from "./python-environment.ts";

const option = (name: string) =>
  process.argv.find((argument) => argument.startsWith(`--${name}=`))?.slice(name.length + 3);
const file = process.argv.includes("--json") ? process.argv[process.argv.indexOf("--json") + 1] : undefined;

if (process.argv.includes("--prepare")) {
  for (const kind of pythonKinds) await PythonEnvironment.open(kind);
  process.exit();
}

const findings = await runAll(option("only") ?? "", option("case"));
const count = (outcome: Finding["outcome"]) => findings.filter((finding) => finding.outcome === outcome).length;
process.stdout.write(`\n${count("passed")} passed, ${count("skipped")} skipped, ${count("failed")} failed\n`);
if (file !== undefined) writeFileSync(file, `${JSON.stringify(findings, null, 2)}\n`);
// Timers of calls that ended early must not hold the process for their minutes.
process.exit(count("failed") === 0 && findings.length > 0 ? 0 : 1);

async function runAll(only: string, onnxCase: string | undefined): Promise<Finding[]> {
  const page = await PageServer.open();
  try {
    await using mesh = await startConformanceMesh({
      port: (await isFree(notebookPort)) ? notebookPort : 0,
      pageOrigin: page.origin,
    });
    const tell = (line: string) => process.stderr.write(`     ${line}\n`);
    const checks = [
      ...pythonClients(mesh),
      pythonPackage(mesh),
      typescriptPackage(mesh),
      predictSnippet(mesh),
      curl(mesh),
      browserCheck(mesh, page),
      consoleCheck(mesh),
      perfAnalyzer(mesh),
      exporters(mesh, { only: onnxCase, tell }),
      onnxTests(mesh, { only: onnxCase, part: partOf(option("part")), tell }),
    ];
    const found: Finding[] = [];
    for (const check of checks.filter(({ name }) => name.includes(only))) {
      const startedAt = performance.now();
      found.push(...(await runCheck(check, print)));
      tell(`${check.name} took ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
    }
    return found;
  } finally {
    page.close();
  }
}

function partOf(text: string | undefined): SetPart | undefined {
  if (text === undefined) return undefined;
  const [part = 0, of = 0] = text.split("/").map(Number);
  if (Number.isInteger(part) && Number.isInteger(of) && part >= 1 && part <= of) return { part, of };
  throw new Error(`--part is "${text}"; it is written like 2/3.`);
}

function print({ name, outcome, note }: Finding): void {
  const mark = { passed: "ok  ", failed: "FAIL", skipped: "skip" }[outcome];
  process.stdout.write(`${mark} ${name}${note === "" ? "" : `: ${note}`}\n`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
