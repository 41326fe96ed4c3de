import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { AimassError } from "@aimass/core";
import { externalReferences, graphFileName, readModel } from "@aimass/onnx";
import { openPlainFile } from "./metrics-file.ts";

/** A version is kept in memory while it is registered. */
const mostBytes = 1024 ** 3;

/**
 * The model that a script left: "model.onnx" and the files it refers to, by path. The script has ended: nothing changes under our hands. Errors:
 * FAILED_PRECONDITION when there is none, when it is no plain file, when it refers to what is not there, or when it is too large.
 */
export async function takeModel(folder: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const graph = await takeFile(folder, graphFileName, mostBytes);
  const files = new Map([[graphFileName, graph]]);
  let left = mostBytes - graph.length;
  for (const path of referencesOf(graph)) {
    if (files.has(path)) continue;
    const bytes = await takeFile(folder, path, left);
    left -= bytes.length;
    files.set(path, bytes);
  }
  return files;
}

function referencesOf(graph: Uint8Array): readonly string[] {
  try {
    return externalReferences(readModel(graph)).map(({ location }) => location);
  } catch (cause) {
    const why = cause instanceof AimassError ? `: ${cause.message}` : ".";
    throw unfit(
      `The script left a model.onnx that cannot be read as ONNX${why}`,
      "Export it again, and check it with onnx.checker.",
    );
  }
}

async function takeFile(folder: string, path: string, most: number): Promise<Uint8Array> {
  const parts = path.split("/");
  for (let i = 1; i <= parts.length; i++) {
    const at = parts.slice(0, i).join("/");
    const stat = parts.includes("..") ? undefined : await lstat(join(folder, at)).catch(() => undefined);
    if (stat === undefined) throw missing(path);
    const fits = i < parts.length ? stat.isDirectory() : stat.isFile();
    if (!fits)
      throw unfit(
        `The script left "${at}", which is no plain ${i < parts.length ? "folder" : "file"}.`,
        "Links are not followed: copy what they point to.",
      );
  }
  await using file = await openPlainFile(join(folder, path));
  if (file === undefined) throw missing(path);
  const { size } = await file.stat();
  if (size > most) throw unfit(`The model that the script left is larger than ${mostBytes} bytes.`, "Make it smaller.");
  return file.readFile();
}

function missing(path: string): AimassError {
  if (path === graphFileName) {
    return unfit(
      "The script ended well but left no model.onnx.",
      "Write it to the folder that AIMASS_OUTPUT_DIR names.",
    );
  }
  return unfit(
    `The script's model.onnx refers to "${path}", which is not beside it.`,
    "Write it to AIMASS_OUTPUT_DIR too.",
  );
}

function unfit(message: string, remedy: string): AimassError {
  return new AimassError("FAILED_PRECONDITION", message, { reason: "SCRIPT_RESULT", remedy });
}
