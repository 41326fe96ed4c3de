import { importsOf } from "./boundaries.ts";
import type { SourceFile } from "./source-files.ts";

/**
 * Files that import each other, directly or through others, types included: one sentence a circle, with its files in the order of their imports. Of files
 * in several circles the first one found is told.
 */
export function importCircles(files: readonly SourceFile[]): string[] {
  const known = new Set(files.map(({ path }) => path));
  const imports = new Map(files.map((file) => [file.path, relativeImports(file).filter((path) => known.has(path))]));
  const done = new Set<string>();
  const circles: string[] = [];
  const walk = (path: string, way: readonly string[]): void => {
    const before = way.indexOf(path);
    if (before >= 0) circles.push(`${[...way.slice(before), path].join(" → ")}: files that import each other.`);
    if (before >= 0 || done.has(path)) return;
    for (const next of imports.get(path) ?? []) walk(next, [...way, path]);
    done.add(path);
  };
  for (const path of known) walk(path, []);
  return circles;
}

function relativeImports({ path, text }: SourceFile): string[] {
  const relative = importsOf(text).filter((specifier) => specifier.startsWith("."));
  return relative.map((specifier) => new URL(specifier, `file:///${path}`).pathname.slice(1));
}
