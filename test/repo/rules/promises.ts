/** A promise and a test that shows it: "[name of the test](path/of/the.spec.ts)". */
const shownBy = /\[([^\]]+)\]\(([^)\s]+\.(?:spec|contract)\.ts)\)/g;

/** Promises of a table of threats that no test shows: rows without a link, and links to a file or a test that is not there. One sentence each. */
export function unshownPromises(text: string, readFile: (path: string) => string | undefined): string[] {
  const problems: string[] = [];
  for (const row of text.split("\n").filter((line) => line.startsWith("|"))) {
    const [threat = ""] = row
      .slice(1)
      .split("|")
      .map((cell) => cell.trim());
    if (threat === "threat" || /^-+$/.test(threat)) continue;
    const links = [...row.matchAll(shownBy)];
    if (links.length === 0) problems.push(`"${threat}" names no test.`);
    for (const [, name = "", path = ""] of links) {
      const test = readFile(path);
      if (test === undefined) problems.push(`"${threat}" names ${path}, which is not there.`);
      else if (!test.includes(name))
        problems.push(`"${threat}" names the test "${name}", which ${path} does not have.`);
    }
  }
  return problems;
}
