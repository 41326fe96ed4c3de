/**
 * Makes @aimass/client a package of its own, `aimass-client-VERSION.tgz` in the folder that is named (default: this one): JavaScript and declarations of what it
 * needs of the checkout, with the packages that it takes from npm as dependencies. `npm run pack:client -- FOLDER`.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const target = resolve(process.argv[2] ?? ".");
const folder = mkdtempSync(join(tmpdir(), "aimass-client-"));
try {
  compile(folder);
  for (const file of filesOf(folder)) writeFileSync(file, withoutWorkspaces(file));
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest(), undefined, 2));
  cpSync(join(root, "libs/client/README.md"), join(folder, "README.md"));
  cpSync(join(root, "LICENSE"), join(folder, "LICENSE"), { force: true });
  const packed = spawnSync("npm", ["pack", "--silent", "--pack-destination", target], {
    cwd: folder,
    encoding: "utf8",
  });
  if (packed.status !== 0) throw new Error(packed.stderr);
  process.stdout.write(`${join(target, packed.stdout.trim())}\n`);
} finally {
  rmSync(folder, { recursive: true });
}

function compile(outDir: string): void {
  const config = join(root, "node_modules", `.pack-client-${process.pid}.json`);
  const files = ["libs/client/src/**/*.ts", "libs/core/src/errors.ts", "libs/api/src/*.ts"].map((path) =>
    join(root, path),
  );
  const compilerOptions = {
    ...{ noEmit: false, declaration: true, rewriteRelativeImportExtensions: true, rootDir: join(root, "libs"), outDir },
    ...{ allowImportingTsExtensions: true, lib: ["es2025", "dom"], types: [] },
  };
  const exclude = [join(root, "libs/client/src/**/*.spec.ts")];
  writeFileSync(
    config,
    JSON.stringify({ extends: join(root, "tsconfig.json"), include: files, exclude, compilerOptions }),
  );
  try {
    const tsc = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", config], { encoding: "utf8" });
    if (tsc.status !== 0) throw new Error(tsc.stdout);
  } finally {
    rmSync(config);
  }
  cpSync(join(root, "libs/api/src/gen"), join(outDir, "api/src/gen"), { recursive: true });
}

function filesOf(parent: string): string[] {
  const entries = readdirSync(parent, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** A file whose imports of the checkout's other packages are paths within the package. */
function withoutWorkspaces(file: string): string {
  const within = (path: string) => {
    const found = relative(dirname(file), join(folder, path));
    return found.startsWith(".") ? found : `./${found}`;
  };
  return readFileSync(file, "utf8").replaceAll(
    /"@aimass\/(api|core)\/([a-z-]+)"/g,
    (_, name: string, module: string) => `"${within(`${name}/src/${module}.js`)}"`,
  );
}

function manifest(): object {
  const {
    private: _,
    exports: __,
    dependencies,
    description,
    ...own
  } = JSON.parse(readFileSync(join(root, "libs/client/package.json"), "utf8")) as {
    private: boolean;
    exports: object;
    dependencies: Record<string, string>;
    description: string;
  };
  const kept = Object.entries(dependencies).filter(([name]) => !name.startsWith("@aimass/"));
  return {
    ...own,
    description: description.replace(/ \(tier \d\)/, ""),
    exports: {
      ".": "./client/src/index.js",
      "./model-types": "./client/src/model-types.js",
      "./api/*": "./client/src/api/*.js",
    },
    dependencies: Object.fromEntries(kept),
  };
}
