import { readFileSync } from "node:fs";

/** Whose rights the server runs with. PostgreSQL refuses to run as root, so root lends it an unprivileged account that exists already. */
export interface Account {
  /** Set when the server's user is not our own: what `spawn` and `chown` need. */
  readonly lent: { readonly uid: number; readonly gid: number } | undefined;
  readonly uid: number;
}

/** The account on Linux systems without an entry for "nobody". */
const overflowId = 65534;

/** Our own account, or "nobody" for root. Never adds a user. */
export function serverAccount(passwdFile = "/etc/passwd"): Account {
  const uid = process.getuid?.() ?? -1;
  if (uid !== 0) return { lent: undefined, uid };
  const lent = findNobody(passwdFile);
  return { lent, uid: lent.uid };
}

function findNobody(passwdFile: string): { uid: number; gid: number } {
  try {
    const line = readFileSync(passwdFile, "utf8")
      .split("\n")
      .find((entry) => entry.startsWith("nobody:"));
    const [, , uid, gid] = line?.split(":") ?? [];
    // macOS writes nobody as -2; the system calls want it unsigned.
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid) >>> 0, gid: Number(gid) >>> 0 };
  } catch {
    // A system without the file still knows the overflow id.
  }
  return { uid: overflowId, gid: overflowId };
}
