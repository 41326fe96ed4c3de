/** The disposable process of a probe: inspects the bundle it was given, says once what it found, and ends. */
import { AimassError } from "@aimass/core";
import { endWithParent } from "./end-with-parent.ts";
import { inspectBundle } from "./inspect.ts";
import type { ProbeReply } from "./messages.ts";

async function answer(directory: string): Promise<ProbeReply> {
  try {
    return { ok: true, result: await inspectBundle(directory) };
  } catch (error) {
    const known = error instanceof RangeError ? tooComplex(error) : AimassError.from(error);
    const { code, message, reason, field, remedy } = known;
    return { ok: false, code, message, reason, field, remedy };
  }
}

/** The stack ran out, or a buffer cannot be as large as the file says: what the file asks for is out of reach. */
function tooComplex(cause: RangeError): AimassError {
  return new AimassError(
    "INVALID_ARGUMENT",
    "The file is not a usable ONNX model: it is nested too deeply or too large.",
    {
      reason: "NOT_ONNX",
      cause,
    },
  );
}

endWithParent();
const reply = await answer(process.argv[2] ?? "");
process.send?.(reply, undefined, undefined, () => process.exit(0));
