import type { Migration } from "@aimass/store";
import { library } from "./0001-library.ts";
import { code } from "./0002-code.ts";
import { installation } from "./0003-installation.ts";
import { noteUploaders } from "./0004-uploaders.ts";
import { indexReadyVersions } from "./0005-ready-versions.ts";
import { keepDeletedProjects } from "./0006-deleted-projects.ts";

/** The registry's schema, in order. */
export const migrations: readonly Migration[] = [
  library,
  code,
  installation,
  noteUploaders,
  indexReadyVersions,
  keepDeletedProjects,
];
