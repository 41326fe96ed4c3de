import { isTestFile, packageOf, type SourceFile } from "./source-files.ts";

/** A name that looks like a variable of ours. */
const variable = /["'`.](AIMASS_[A-Z0-9_]*[A-Z0-9]|NATS_URL|LOG|LOG_FORMAT|OTEL_[A-Z0-9_]+)\b/g;

/** Variables a package reads that its README does not list, one sentence each. */
export function undocumentedVariables(
  sources: readonly SourceFile[],
  readmeOf: (packagePath: string) => string | undefined,
): string[] {
  const missing = new Set<string>();
  for (const { path, text } of sources) {
    const home = packageOf(path);
    if (home === undefined || home === "test" || isTestFile(path)) continue;
    const readme = readmeOf(home) ?? "";
    for (const [, name] of text.matchAll(variable)) {
      if (!new RegExp(`\\b${name}\\b`).test(readme))
        missing.add(`${home} reads ${name}, which its README does not list (${path}).`);
    }
  }
  return [...missing].sort();
}
