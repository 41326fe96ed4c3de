import { type ChildProcess, spawn } from "node:child_process";
import type { Account } from "./account.ts";
import type { Home } from "./home.ts";

/**
 * A shell that reads from a pipe of ours. A line means all is well and it leaves; the end of the pipe means this process is gone, however it died: then it stops
 * the server (fast, after ten seconds at once) and removes a temporary home. It acts only while postmaster.pid still names the server.
 * Arguments: 1 the server's pid, 2 its data directory, 3 the home to remove or nothing.
 */
const script = `
ours() { pid=; { read -r pid < "$2/postmaster.pid"; } 2>/dev/null; [ "$pid" = "$1" ]; }
wait_end() { n=0; while [ $n -lt "$3" ] && ours "$1" "$2" && kill -0 "$1" 2>/dev/null; do sleep 0.1; n=$((n+1)); done; }
if read -r word; then exit 0; fi
ours "$1" "$2" && kill -INT "$1"
wait_end "$1" "$2" 100
ours "$1" "$2" && kill -QUIT "$1" && wait_end "$1" "$2" 50
if [ -n "$3" ]; then cd / && rm -rf "$3"; fi
`;

/** Stands guard over a server for the case that this process dies without stopping it. */
export interface Watcher {
  /** Sends the guard home. */
  dismiss(): void;
}

export function startWatcher(options: { pid: number; home: Home; account: Account; removeHome: boolean }): Watcher {
  const { pid, home, account, removeHome } = options;
  const child: ChildProcess = spawn(
    "/bin/sh",
    ["-c", script, "aimass-postgres-watch", String(pid), home.data, removeHome ? home.path : ""],
    {
      ...account.lent,
      cwd: "/",
      // A process group of its own: Ctrl-C in the terminal reaches us first.
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
    },
  );
  child.on("error", () => {});
  child.stdin?.on("error", () => {});
  child.unref();
  return { dismiss: () => child.stdin?.end("done\n") };
}
