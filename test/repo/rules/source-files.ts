import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A file of the repository. */
export interface SourceFile {
  /** From the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

/** Root of the repository. */
export const root = new URL("../../..", import.meta.url).pathname;

/** Paths of all files that git knows or would add. */
export function repositoryPaths(): string[] {
  const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
  });
  return listed.split("\n").filter((path) => path !== "" && existsSync(join(root, path)));
}

/** Files of the repository that end in one of the given ways. */
export function repositoryFiles(...endings: readonly string[]): SourceFile[] {
  return repositoryPaths()
    .filter((path) => endings.some((ending) => path.endsWith(ending)))
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
}

/** The package a file belongs to, for instance "libs/core"; undefined for files outside packages. */
export function packageOf(path: string): string | undefined {
  return /^((?:libs|services)\/[^/]+|test)\//.exec(path)?.[1];
}

/** Whether a file is a test or a helper of tests. */
export function isTestFile(path: string): boolean {
  return (
    /\.(spec|contract|fixture|test-helper)\.ts$/.test(path) || path.startsWith("test/") || path.includes("/testing/")
  );
}
