/** What the rules need of a package.json. */
export interface PackageManifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** Dependencies that are not pinned to one version, one sentence each. */
export function unpinnedDependencies(manifest: PackageManifest): string[] {
  const all = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };
  return Object.entries(all)
    .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
    .map(([name, version]) => `${manifest.name} wants ${name} "${version}": pin one exact version.`);
}

/** Packages that cannot be understood or do not have a service's skeleton, one sentence each. `files` are all paths of the repository. */
export function skeletonViolations(packages: readonly string[], files: ReadonlySet<string>): string[] {
  const violations: string[] = [];
  for (const folder of packages) {
    const wanted = ["README.md"];
    if (folder.startsWith("services/") && folder !== "services/cli") {
      const parts = folder === "services/inference" ? ["agent-main", "replica-main"] : ["main", "config", "app"];
      wanted.push(...parts.map((part) => `src/${part}.ts`));
    }
    for (const file of wanted) if (!files.has(`${folder}/${file}`)) violations.push(`${folder} has no ${file}.`);
  }
  return violations;
}
