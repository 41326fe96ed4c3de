#!/usr/bin/env node
// Plain JavaScript, so that any Node can start it: finds a Node that runs TypeScript (22.18 or newer) and hands over.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const main = join(here, "../src/main.ts");

function runsTypeScript(version) {
  const [major, minor] = version.split(".").map(Number);
  return major > 22 || (major === 22 && minor >= 18);
}

/** The Node that came with `npm ci`, when this platform has one: looked for from here up to the root of the file system. */
function bundledNode() {
  const names = [`node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`];
  for (let folder = here; ; folder = dirname(folder)) {
    for (const name of names) {
      const path = join(folder, "node_modules", name, "bin", process.platform === "win32" ? "node.exe" : "node");
      if (existsSync(path)) return path;
    }
    if (folder === dirname(folder)) return undefined;
  }
}

const node = runsTypeScript(process.versions.node) ? process.execPath : bundledNode();
if (node === undefined) {
  console.error(
    `aimass needs Node 22.18 or newer; this is ${process.versions.node}.\nInstall Node 24 LTS from https://nodejs.org and run the command again.`,
  );
  process.exit(1);
}
/** Where Node keeps compiled modules: half of what a command takes. In a folder of this user's own, for whoever writes there decides what runs. */
const codeCache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "aimass", "code");
const child = spawn(node, ["--disable-warning=ExperimentalWarning", main, ...process.argv.slice(2)], {
  env: { NODE_COMPILE_CACHE: codeCache, ...process.env },
  // The channel tells the child when this process is killed: a mesh then ends, too.
  stdio: ["inherit", "inherit", "inherit", "ipc"],
});
child.channel?.unref();
// Signals are passed on; the child decides when to end. It takes a Ctrl-C that the terminal also sent it for one.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
if (process.env.npm_command !== undefined) {
  // npm runs us in a shell that passes no signal on: whoever ends npm alone wants us to end, too.
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    child.kill("SIGTERM");
  }, 1000);
  watch.unref();
}
child.on("exit", (code, signal) => {
  process.exitCode = code ?? (signal === null ? 1 : 128 + 2);
});
