import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Writes a model's files into a folder; gives back the graph's path. */
export async function writeModelFiles(files: ReadonlyMap<string, Uint8Array>, folder: string): Promise<string> {
  for (const [path, bytes] of files) {
    const to = join(folder, path);
    await mkdir(dirname(to), { recursive: true });
    await writeFile(to, bytes);
  }
  return join(folder, "model.onnx");
}
