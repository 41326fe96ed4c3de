/** What the rules need of an entry in package-lock.json. */
export interface LockEntry {
  readonly version?: string;
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** The part of package-lock.json (version 3) that is read and mended. */
export interface Lockfile {
  packages: Record<string, LockEntry>;
}

/** A platform's package that some package wants and the lock does not have. */
export interface MissingPlatform {
  readonly name: string;
  readonly version: string;
  readonly wantedBy: string;
  readonly dev: boolean;
}

/**
 * Optional packages that the lock names but does not hold. npm leaves a platform's package out when the registry in use does not have it, and
 * `npm ci` then refuses the whole lock, on every platform.
 */
export function missingPlatforms(lock: Lockfile): MissingPlatform[] {
  const missing = new Map<string, MissingPlatform>();
  for (const [path, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      const isThere = `${path}/node_modules/${name}` in lock.packages || `node_modules/${name}` in lock.packages;
      if (!isThere && /^\d/.test(version))
        missing.set(name, { name, version, wantedBy: path || "the repository", dev: entry.dev ?? false });
    }
  }
  return [...missing.values()];
}

const systems: Readonly<Record<string, string>> = {
  darwin: "darwin",
  win32: "win32",
  windows: "win32",
  win: "win32",
  linux: "linux",
  android: "android",
  freebsd: "freebsd",
  openbsd: "openbsd",
  netbsd: "netbsd",
  sunos: "sunos",
  aix: "aix",
  openharmony: "openharmony",
  wasm32: "wasi",
  wasi: "wasi",
};
const processors: Readonly<Record<string, string>> = {
  x64: "x64",
  "64": "x64",
  arm64: "arm64",
  arm: "arm",
  armv7: "arm",
  armeabi: "arm",
  ia32: "ia32",
  riscv64: "riscv64",
  ppc64: "ppc64",
  s390x: "s390x",
  loong64: "loong64",
  mips64el: "mips64el",
  wasm32: "wasm32",
};

/** The lock entry of a platform's package, its system and processor read from its name ("cli-linux-x64-musl", "darwin-64"). Errors: a name that tells neither. */
export function platformEntry({ name, version, dev }: MissingPlatform): LockEntry {
  const parts = (name.split("/").at(-1) as string).split(/[-_]/);
  const os = parts.map((part) => systems[part]).find((value) => value !== undefined);
  const cpu = parts.map((part) => processors[part]).find((value) => value !== undefined);
  if (os === undefined || cpu === undefined) throw new Error(`The name ${name} does not tell its platform.`);
  const libc = parts.some((part) => part.startsWith("musl"))
    ? ["musl"]
    : parts.some((part) => part.startsWith("gnu"))
      ? ["glibc"]
      : undefined;
  return { version, cpu: [cpu], ...(dev && { dev }), ...(libc && { libc }), optional: true, os: [os] };
}
