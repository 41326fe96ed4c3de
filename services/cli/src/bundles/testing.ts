import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { LocalBundle } from "./local-bundle.ts";

/** Writes a file below a folder. */
export function putFile(folder: string, path: string, bytes: Uint8Array | string = ""): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), bytes);
}

/** The text of one file of a bundle. Throws where it has none of that name. */
export async function textOf(bundle: LocalBundle | undefined, path: string): Promise<string> {
  const file = bundle?.files.find((one) => one.path === path);
  if (file === undefined) throw new Error(`There is no ${path}.`);
  const parts: Uint8Array[] = [];
  for await (const part of file.source.read(0)) parts.push(part);
  return Buffer.concat(parts).toString("utf8");
}

export const pathsOf = (bundle: LocalBundle | undefined): string[] => (bundle?.files ?? []).map(({ path }) => path);
