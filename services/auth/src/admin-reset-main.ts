import { AimassError } from "@aimass/core";
import { adminReset } from "./admin-reset.ts";

try {
  const { username, password, file } = await adminReset(process.env);
  process.stdout.write(`${JSON.stringify({ username, password, file: file ?? null })}\n`);
} catch (error) {
  process.stderr.write(`admin reset: ${error instanceof AimassError ? error.advice : (error as Error).message}\n`);
  process.exitCode = 1;
}
