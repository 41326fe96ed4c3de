import { lstatSync, readFileSync, readlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ScriptLimits } from "./script-run.ts";

/** Who a script is in a user namespace. */
export const uidInNamespace = 1000;

/** Where a script sees its scratch folder. */
export const scriptFolder = "/job";

/** What lies in the scratch folder beside what the caller put there. */
export const sandboxFolders = { tmp: "tmp", shm: "shm", etc: "etc" } as const;

/** Files of /etc that programs need, none of which holds a secret. */
const systemFiles = [
  "alternatives",
  "ld.so.cache",
  "ld.so.conf",
  "ld.so.conf.d",
  "localtime",
  "mime.types",
  "ssl/certs",
  "ssl/openssl.cnf",
  "pki",
];
const systemFolders = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];
const gpuDevices = ["nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset"];

export interface SandboxView {
  readonly directory: string;
  /** Folders to read, beside the system's. */
  readonly paths: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly limits: ScriptLimits;
  /** Whether to ask for a user namespace, which whoever is not root needs to make the others. */
  readonly userNamespace: boolean;
}

/** What a sandbox looks like from inside, as arguments of bwrap(1). */
export function sandboxArguments(view: SandboxView): readonly string[] {
  return [
    ...["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"],
    ...["--hostname", "script", "--die-with-parent", "--new-session", "--cap-drop", "ALL"],
    ...(view.userNamespace
      ? ["--unshare-user", "--uid", `${uidInNamespace}`, "--gid", `${uidInNamespace}`]
      : // To become somebody else inside, and for nothing else: whoever that is has none.
        ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]),
    ...systemView(),
    ...["--proc", "/proc", "--dev", "/dev"],
    ...gpuView(view.limits),
    ...jobView(view.directory),
    ...view.paths.flatMap((path) => [...parents(path), "--ro-bind", path, path]),
    ...["--remount-ro", "/dev", "--remount-ro", "/"],
    ...["--clearenv", ...Object.entries(view.environment).flatMap(([name, value]) => ["--setenv", name, value])],
    ...["--chdir", join(scriptFolder, "code")],
  ];
}

/** The base installation of a Python virtual environment, without which it is of no use. */
export function withPythonBases(paths: readonly string[]): readonly string[] {
  const bases = paths.flatMap((path) => {
    const home = /^home\s*=\s*(\S.*)$/m.exec(readIfThere(join(path, "pyvenv.cfg")))?.[1]?.trim();
    return home === undefined || home.startsWith("/usr/") ? [] : [dirname(home)];
  });
  return [...new Set([...paths, ...bases])];
}

function systemView(): string[] {
  return [
    ...["--ro-bind", "/usr", "/usr"],
    ...systemFolders.flatMap((name) => {
      const stat = lstatSync(`/${name}`, { throwIfNoEntry: false });
      if (stat === undefined) return [];
      return stat.isSymbolicLink()
        ? ["--symlink", readlinkSync(`/${name}`), `/${name}`]
        : ["--ro-bind", `/${name}`, `/${name}`];
    }),
    ...folder("/etc"),
    ...folder("/etc/ssl"),
    ...systemFiles.flatMap((name) => ["--ro-bind-try", `/etc/${name}`, `/etc/${name}`]),
  ];
}

function jobView(directory: string): string[] {
  const inside = (name: string) => join(directory, name);
  return [
    ...folder(scriptFolder),
    ...["code", "out"].flatMap((name) => ["--bind", inside(name), join(scriptFolder, name)]),
    ...["--ro-bind", inside("data"), join(scriptFolder, "data")],
    ...["--bind", inside(sandboxFolders.tmp), "/tmp"],
    ...["--bind", inside(sandboxFolders.shm), "/dev/shm"],
    ...["passwd", "group", "hosts", "nsswitch.conf"].flatMap((name) => [
      ...["--ro-bind", inside(join(sandboxFolders.etc, name)), `/etc/${name}`],
    ]),
  ];
}

function gpuView({ gpus }: ScriptLimits): string[] {
  if (gpus.length === 0) return [];
  const numbered = gpus.filter((id) => /^\d+$/.test(id)).map((id) => `nvidia${id}`);
  return [...gpuDevices, ...numbered].flatMap((name) => ["--dev-bind-try", `/dev/${name}`, `/dev/${name}`]);
}

function parents(path: string): string[] {
  const above = dirname(path);
  return above === "/" || above.startsWith("/usr") ? [] : [...parents(above), ...folder(above)];
}

function folder(path: string): string[] {
  return ["--perms", "0755", "--dir", path];
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
