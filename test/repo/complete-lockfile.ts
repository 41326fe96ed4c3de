import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Lockfile, missingPlatforms, platformEntry } from "./rules/lockfile.ts";
import { root } from "./rules/source-files.ts";

/** Adds to package-lock.json the packages of other platforms that the registry in use does not have. To be run after `npm install`. */
const file = join(root, "package-lock.json");
const lock = JSON.parse(readFileSync(file, "utf8")) as Lockfile;
const missing = missingPlatforms(lock);
for (const platform of missing) lock.packages[`node_modules/${platform.name}`] = platformEntry(platform);
const sorted = Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, "en"));
lock.packages = Object.fromEntries(sorted);
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
process.stdout.write(`${missing.length} packages of other platforms added.\n`);
