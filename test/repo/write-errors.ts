import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { catalogueOf, reasonsOf } from "./rules/reasons.ts";
import { repositoryFiles, root } from "./rules/source-files.ts";

const file = join(root, "ERRORS.md");
const sources = repositoryFiles(".ts").filter(({ path }) => path.includes("/src/") && !path.includes("/gen/"));
writeFileSync(file, catalogueOf(reasonsOf(sources), existsSync(file) ? readFileSync(file, "utf8") : ""));
