import { AimassError, didYouMean } from "@aimass/core";
import type { DescMessage } from "@bufbuild/protobuf";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { toConnectError } from "./error-mapping.ts";

/** How requests in JSON are read: what a field that nobody knows was to say (an end, a limit) must not be passed over. */
export const strictJson = { ignoreUnknownFields: false };

const refusal = /^cannot decode message (\S+) from JSON: key "(.*)" is unknown$/s;

/**
 * Says what to do about a field that a request in JSON has and its message has not. Such a request is refused before an interceptor sees it; what is
 * refused then ends the call's signal before it becomes an answer, and is completed there.
 */
export function explainUnknownFields({ signal, method }: HandlerContext): void {
  const explain = () => {
    if (signal.reason instanceof ConnectError) complete(signal.reason, method.input);
  };
  signal.addEventListener("abort", explain, { once: true });
}

function complete(error: ConnectError, input: DescMessage): void {
  const [, typeName = "", key = ""] = error.code === Code.InvalidArgument ? (refusal.exec(error.rawMessage) ?? []) : [];
  const message = findMessage(input, typeName);
  if (message === undefined) return;
  const field = key.slice(0, 100);
  const known = message.fields.map(({ jsonName }) => jsonName);
  const ifNewer = "If your client is newer than this server, it may know more fields: bring the server up to date.";
  const told = new AimassError("INVALID_ARGUMENT", `${message.name} has no field ${JSON.stringify(field)}.`, {
    reason: "UNKNOWN_FIELD",
    field,
    remedy: `${didYouMean(field, known) || fieldsOf(known)}${ifNewer}`,
  });
  const { rawMessage, message: whole, details } = toConnectError(told);
  Object.assign(error, { rawMessage, message: whole, details });
}

function fieldsOf(known: readonly string[]): string {
  return known.length === 0 ? "Send {}. " : `Its fields: ${known.join(", ")}. `;
}

/** The message of this name among all that a message can hold. */
function findMessage(message: DescMessage, typeName: string, seen = new Set<string>()): DescMessage | undefined {
  if (message.typeName === typeName) return message;
  if (seen.has(message.typeName)) return undefined;
  seen.add(message.typeName);
  for (const { message: inner } of message.fields) {
    const found = inner === undefined ? undefined : findMessage(inner, typeName, seen);
    if (found !== undefined) return found;
  }
  return undefined;
}
