import { AimassError } from "@aimass/core";
import { adminReset } from "./admin-reset.ts";

// The password alone goes to standard output, so that a script can take it.
try {
  const { username, password, file } = await adminReset(process.env, {
    revokeKeys: process.argv.includes("--revoke-keys"),
  });
  process.stderr.write(`${username} has a new password${file === undefined ? "" : `, also in ${file}`}.\n`);
  process.stdout.write(`${password}\n`);
} catch (error) {
  process.stderr.write(`admin reset: ${error instanceof AimassError ? error.advice : (error as Error).message}\n`);
  process.exitCode = 1;
}
