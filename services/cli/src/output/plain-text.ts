/** What a terminal obeys instead of showing it, or what turns the order of a line: C0, DEL, C1, separators of lines, and marks of writing direction. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
const commanding = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * One line for a terminal, whoever wrote it: what would command the terminal stands as "\x1b" or "\u202e", a line break as "\n"; a tab is a space.
 */
export function plainLine(text: string): string {
  return text.replace(commanding, (character) => (character === "\t" ? " " : escaped(character)));
}

/** Lines for a terminal. Those after the first are indented, so that no text of others looks like words of this program. */
export function plainLines(text: string): string {
  return text
    .replace(/\r\n/g, "\n")
    .split("\n")
    .map((line, index) => (index === 0 ? plainLine(line) : `  ${plainLine(line)}`))
    .join("\n");
}

/** JSON that commands no terminal either and means the same: such characters can only stand within its strings. */
export function plainJson(json: string): string {
  return json.replace(commanding, (character) =>
    character === "\n" ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

const names: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r" };

function escaped(character: string): string {
  const code = character.charCodeAt(0).toString(16);
  return names[character] ?? (code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`);
}
