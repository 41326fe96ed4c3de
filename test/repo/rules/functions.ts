import { isTestFile, type SourceFile } from "./source-files.ts";
import { childrenOf, type Node, syntaxTree } from "./syntax-tree.ts";

/** Lines that a function may have of its own: those of functions within it are theirs. */
const mostLines = 60;

/** Functions that are longer than a reader takes in, one sentence each. */
export function longFunctions(files: readonly SourceFile[]): string[] {
  return files
    .filter(({ path, text }) => !isTestFile(path) && text.split("\n").length > mostLines)
    .flatMap((file) => {
      const problems: string[] = [];
      const lineAt = lineCounter(file.text);
      linesWithin(syntaxTree(file), lineAt, (at, lines) => {
        if (lines > mostLines)
          problems.push(`${file.path}:${at} has a function of ${lines} lines of its own; ${mostLines} are the most.`);
      });
      return problems;
    });
}

/** Lines of the functions in a node, without those that others share; tells the first line and the own lines of each. */
function linesWithin(
  node: Node,
  lineAt: (offset: number) => number,
  tell: (firstLine: number, ownLines: number) => void,
): number {
  let inner = 0;
  for (const child of childrenOf(node)) inner += linesWithin(child, lineAt, tell);
  if (!/Function/.test(node.type) || !node.body) return inner;
  const [first, last] = [lineAt(node.start as number), lineAt(node.end as number)];
  tell(first, last - first + 1 - inner);
  // The first line of a function is a line of the one around it, too.
  return last - first;
}

function lineCounter(text: string): (offset: number) => number {
  const ends = Array.from(text.matchAll(/\n/g), ({ index }) => index);
  return (offset) => {
    let [low, high] = [0, ends.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((ends[middle] as number) < offset) low = middle + 1;
      else high = middle;
    }
    return low + 1;
  };
}
