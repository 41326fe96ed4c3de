import { isTestFile, packageOf, type SourceFile } from "./source-files.ts";

/** Consumers of events that a service has no right to at the carrier, where they would hear nothing, one sentence each. */
export function unlistedConsumers(
  sources: readonly SourceFile[],
  consumersOf: Readonly<Record<string, readonly string[]>>,
): string[] {
  return sources.flatMap(({ path, text }) => {
    const [, service = ""] = /^services\/([^/]+)$/.exec(packageOf(path) ?? "") ?? [];
    if (service === "" || isTestFile(path)) return [];
    const named = [...text.matchAll(/\bconsumer: "([^"]+)"/g)].map(([, name = ""]) => name);
    const unlisted = named.filter((name) => !(consumersOf[service] ?? []).includes(name));
    return unlisted.map(
      (name) => `${path} hears events as "${name}", which libs/events/src/consumers.ts does not list.`,
    );
  });
}
