import type { SourceFile } from "./source-files.ts";

/** Columns that a line of prose may have, so that it is read and compared without turning the page. */
const mostColumns = 100;

/** Lines of documents that are too long, one sentence each. Tables, code, headings and what cannot be broken may be longer. */
export function longLines(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, text }) => {
    let inCode = false;
    return text.split("\n").flatMap((line, index) => {
      if (/^\s*(```|~~~)/.test(line)) inCode = !inCode;
      if (inCode || line.length <= mostColumns || /^\s*[|#<]|^ {4}/.test(line) || !canBeBroken(line)) return [];
      return [`${path}:${index + 1} has ${line.length} columns; wrap it at ${mostColumns}.`];
    });
  });
}

/** Whether there is a space before the limit, behind the marks of a list and outside code. */
function canBeBroken(line: string): boolean {
  const withoutCode = line.replace(/`[^`]*`/g, (code) => "x".repeat(code.length));
  return /\S +\S/.test(withoutCode.replace(/^\s*([-*+>]|\d+\.)?\s*/, "").slice(0, mostColumns + 1));
}
