import { readFile, stat } from "node:fs/promises";
import { analyseRows, type RowVerdict, readModel } from "@aimass/onnx";

/** Largest file whose graph is looked at here: it is read whole, beside the session that holds it too. In bytes. */
const largestGraph = 512 * 1024 * 1024;

/** Whether the graph at `path` keeps rows apart; a graph that cannot be read is not shown to. */
export async function graphRows(path: string): Promise<RowVerdict> {
  const { size } = await stat(path);
  if (size > largestGraph) return { proven: false, reason: `The file is too large to look at again (${size} bytes).` };
  try {
    return analyseRows(readModel(await readFile(path)));
  } catch (error) {
    return { proven: false, reason: `The graph cannot be read: ${(error as Error).message}` };
  }
}
