import { isTestFile, packageOf, type SourceFile } from "./source-files.ts";

/** The tier of each library; services stand above them all. Imports point to lower tiers only. */
export const tiers: Readonly<Record<string, number>> = {
  "@aimass/api": 0,
  "@aimass/core": 0,
  "@aimass/telemetry": 1,
  "@aimass/identity": 1,
  "@aimass/h2": 1,
  "@aimass/oip": 1,
  "@aimass/artifacts": 1,
  "@aimass/store": 1,
  "@aimass/onnx": 1,
  "@aimass/embedded": 1,
  "@aimass/datasets": 1,
  "@aimass/client": 1,
  "@aimass/rpc": 2,
  "@aimass/events": 2,
  "@aimass/learn": 2,
};

/** Libraries for tests alone. */
const testOnly = ["@aimass/testkit"];
const serviceTier = 3;

/**
 * Imports that break the structure, one sentence each: upwards or sideways between tiers, from service to service, relative ones that leave a package,
 * testkit outside tests, and packages that are imported but not declared.
 */
export function boundaryViolations(
  files: readonly SourceFile[],
  dependenciesOf: (packagePath: string) => readonly string[],
): string[] {
  const violations: string[] = [];
  for (const file of files) {
    const home = packageOf(file.path);
    if (home === undefined || home === "test") continue;
    for (const specifier of importsOf(file.text)) {
      const problem = specifier.startsWith(".")
        ? leavesPackage(file.path, specifier)
        : crossesTier(home, file.path, specifier, dependenciesOf(home));
      if (problem !== undefined) violations.push(`${file.path} imports ${specifier}: ${problem}`);
    }
  }
  return violations;
}

/** Every module specifier of a file: static, re-exported and dynamic imports. */
export function importsOf(text: string): string[] {
  const found: string[] = [];
  for (const match of text.matchAll(
    /(?:^|\n)\s*(?:import|export)\s(?:[^"';]*?\sfrom\s)?\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)/g,
  )) {
    found.push((match[1] ?? match[2]) as string);
  }
  return found;
}

function leavesPackage(path: string, specifier: string): string | undefined {
  const resolved = new URL(specifier, `file:///${path}`).pathname.slice(1);
  return packageOf(resolved) === packageOf(path) ? undefined : "a relative import must not leave its package.";
}

function crossesTier(
  home: string,
  path: string,
  specifier: string,
  dependencies: readonly string[],
): string | undefined {
  const target = /^@aimass\/[^/]+/.exec(specifier)?.[0];
  if (target === undefined) return undeclared(path, specifier, dependencies);
  if (`@aimass/${home.split("/")[1]}` === target) return undefined;
  if (testOnly.includes(target))
    return isTestFile(path) || home === "libs/testkit" ? undefined : "it is for tests alone.";
  if (home === "libs/testkit") return undefined;
  const to = tiers[target];
  if (to === undefined) return "services are reached through proto and events, never imported.";
  const from = home.startsWith("services/") ? serviceTier : (tiers[`@aimass/${home.split("/")[1]}`] ?? serviceTier);
  if (isTestFile(path)) return undefined;
  if (to >= from && !(to === 0 && from === 0)) return `tier ${from} must not import tier ${to}.`;
  return dependencies.includes(target) ? undefined : "its package.json does not declare it.";
}

function undeclared(path: string, specifier: string, dependencies: readonly string[]): string | undefined {
  if (specifier.startsWith("node:") || isTestFile(path)) return undefined;
  const name = specifier.startsWith("@")
    ? specifier.split("/").slice(0, 2).join("/")
    : (specifier.split("/")[0] as string);
  return dependencies.includes(name) ? undefined : "its package.json does not declare it.";
}
