import type { IOType } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";

const closeOnExec = 0o2000000;

/**
 * What a child gets as descriptors when it must get nothing else: those given, and nothing in place of what this process was started with or a library opened without
 * close-on-exec, which a child would inherit. Dispose it once the child has been spawned.
 */
export function sealedStdio(given: readonly (IOType | number)[]): Disposable & { readonly stdio: (IOType | number)[] } {
  const leaking = leakingDescriptors().filter((fd) => fd >= given.length);
  const nothing = openSync("/dev/null", "r");
  const stdio: (IOType | number)[] = [...given];
  for (let fd = given.length; fd <= Math.max(-1, ...leaking); fd++)
    stdio.push(leaking.includes(fd) ? nothing : "ignore");
  return { stdio, [Symbol.dispose]: () => closeSync(nothing) };
}

/** Open descriptors that children inherit. Empty where the system does not tell (not Linux). */
function leakingDescriptors(): number[] {
  try {
    return readdirSync("/proc/self/fdinfo").map(Number).filter(leaks);
  } catch {
    return [];
  }
}

function leaks(fd: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1];
    return flags !== undefined && (Number.parseInt(flags, 8) & closeOnExec) === 0;
  } catch {
    // The one by which the folder was read is closed by now.
    return false;
  }
}
