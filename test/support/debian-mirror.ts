import { existsSync, readFileSync } from "node:fs";

const modern = "/etc/apt/sources.list.d/debian.sources";
const classic = "/etc/apt/sources.list";

/** The mirror that this machine's own package manager uses. Throws where there is none. */
export function debianMirror(): string {
  const text = [modern, classic]
    .filter((file) => existsSync(file))
    .map((file) => readFileSync(file, "utf8"))
    .join("\n");
  const found = /^URIs:\s*(\S+)/m.exec(text)?.[1] ?? /^deb\s+(?:\[[^\]]*\]\s+)?(\S+)/m.exec(text)?.[1];
  if (found === undefined) throw new Error("The machine's Debian mirror was not found in its apt sources.");
  return found;
}
