import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Where system packages put servers, which the PATH of an ordinary user may leave out. */
const systemDirectories = ["/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/usr/bin"];

/** The path of a program, or undefined when this machine lacks it. */
export function findProgram(name: string): string | undefined {
  const directories = [...(process.env.PATH ?? "").split(delimiter), ...systemDirectories];
  return directories.map((directory) => join(directory, name)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
