import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestMesh } from "../../support/test-mesh.ts";
import { type Check, finding } from "../check.ts";
import { mustRun } from "../program.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const timeoutMs = 180_000;

/** A program of somebody who installed @aimass/client: compiled by the resolution of Node and of bundlers, and run. */
const program = `
import { AimassError, connect, tensor } from "@aimass/client";
import { ModelService } from "@aimass/client/api/registry";

const mesh = connect(process.env["SERVER"] as string, { credential: process.env["KEY"] as string });
const [output] = Object.values(await mesh.model("softmax").infer({ x: tensor("FP32", [1, 3], [1, 3, 2]) }));
const scores = Array.from(output?.data as Float32Array);
const { predictions } = await mesh.model<{ row: number[]; prediction: number[] }>("softmax").predict([[1, 3, 2]]);
const { models } = await mesh.client(ModelService).listModels({});
const refusal = await mesh.model("none").predict([[1]]).catch((error: AimassError) => error.code);
console.log(JSON.stringify({ scores, predicted: predictions[0], models: models.map(({ name }) => name), refusal }));
`;

/** `npm install` of the packed @aimass/client in a folder outside the checkout, its types and a program with it under this machine's Node. */
export function typescriptPackage(mesh: TestMesh): Check {
  return {
    name: "the TypeScript package",
    level: "ci",
    needs: ["npm"],
    run: async () => {
      const folder = mkdtempSync(join(tmpdir(), "aimass-typescript-"));
      try {
        const run = (command: string, args: readonly string[], env: Record<string, string> = {}) =>
          mustRun(command, args, { timeoutMs, cwd: folder, env });
        mkdirSync(join(folder, "packed"));
        const packer = join(root, "libs/client/pack/pack.ts");
        const packed = (await mustRun(process.execPath, [packer, join(folder, "packed")], { timeoutMs })).trim();
        writeFileSync(join(folder, "package.json"), '{"name": "theirs", "private": true, "type": "module"}');
        await run("npm", ["install", "--silent", "--no-audit", "--no-fund", packed]);
        writeFileSync(join(folder, "use.ts"), program);
        const compile = (resolution: readonly string[]) =>
          run(join(root, "node_modules/.bin/tsc"), [
            ...["--strict", "--target", "es2024", "--lib", "es2024,dom", "--types", "node", "--typeRoots"],
            ...[join(root, "node_modules/@types"), "--outDir", "out", ...resolution, "use.ts"],
          ]);
        return [
          await finding("the TypeScript package: types, as bundlers look for them", () =>
            compile(["--module", "esnext", "--moduleResolution", "bundler", "--noEmit"]),
          ),
          await finding("the TypeScript package: types, as Node looks for them", () =>
            compile(["--module", "nodenext"]),
          ),
          await finding("the TypeScript package: a program", async () => {
            const env = { SERVER: mesh.mesh.url(), KEY: mesh.apiKey };
            const said = (await run("node", ["out/use.js"], env)).trim();
            const { scores, predicted, models, refusal } = JSON.parse(said);
            const isRight = predicted.every((score: number, at: number) => Math.abs(score - scores[at]) < 1e-6);
            if (!isRight || scores.length !== 3 || !models.includes("softmax") || refusal !== "NOT_FOUND")
              throw new Error(said);
            return said;
          }),
        ];
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  };
}
