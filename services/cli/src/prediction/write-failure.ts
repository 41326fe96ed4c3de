import { AimassError } from "@aimass/core";

/** Says which file cannot be written and why, where it is the system that fails; other errors stay as they are. */
export function asWriteFailure(error: unknown, path: string): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (error instanceof AimassError || typeof code !== "string" || syscall === undefined || code === "EPIPE")
    return error;
  return new AimassError("FAILED_PRECONDITION", `${path} cannot be written (${code}).`, {
    cause: error,
    remedy:
      code === "ENOSPC" || code === "EDQUOT"
        ? "Make room, or name another place with -o."
        : "Name another place with -o.",
  });
}

/** Does what writes a file, and says so when the system fails. */
export async function writing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asWriteFailure(error, path);
  }
}
