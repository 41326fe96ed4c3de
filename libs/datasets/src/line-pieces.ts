const lettersAtOnce = 64 * 1024;

/** Lines joined to pieces, so that none is long and not every line is one. */
export function* linePieces(lines: Iterable<string>): Generator<Buffer, void> {
  let [held, letters]: [string[], number] = [[], 0];
  for (const line of lines) {
    held.push(line);
    letters += line.length;
    if (letters < lettersAtOnce) continue;
    yield Buffer.from(held.join(""));
    [held, letters] = [[], 0];
  }
  if (held.length > 0) yield Buffer.from(held.join(""));
}
