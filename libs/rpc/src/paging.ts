import { createHash } from "node:crypto";
import type { PageRequest } from "@aimass/api/common";
import { AimassError } from "@aimass/core";
import { create, type DescMessage, type Message, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { callerOf } from "./caller.ts";

/** The part of a list that a call asks for. */
export interface RequestedPage {
  readonly size: number;
  /** The key of the last item of the page before; undefined for the first page. */
  readonly after: readonly string[] | undefined;
  /** The token of the page after an item; "" for undefined, the end of the list. */
  tokenOf(key: readonly string[] | undefined): string;
}

const defaultSize = 100;
/** More is coerced to this, as https://google.aip.dev/158 has it. */
const largestSize = 1000;
const checkLength = 16;

/**
 * Reads which page a call of a listing RPC asks for. Keys of its items have `parts` parts. A token is good for the list, the filters and the principal it was
 * given for, and no other; the size may change from page to page. Errors: INVALID_ARGUMENT for a negative size and a strange token.
 */
export function readPage(
  context: HandlerContext,
  request: Message & { readonly page?: PageRequest | undefined },
  parts = 1,
): RequestedPage {
  const size = request.page?.size ?? 0;
  if (size < 0)
    throw new AimassError("INVALID_ARGUMENT", `A page of ${size} items cannot be had.`, {
      field: "page.size",
      remedy: `Ask for 1 to ${largestSize}, or 0 for ${defaultSize}.`,
    });
  const list = listOf(context, request);
  const token = request.page?.token ?? "";
  return {
    size: Math.min(size || defaultSize, largestSize),
    after: token === "" ? undefined : readToken(token, list, parts),
    tokenOf: (key) => (key === undefined ? "" : writeToken(list, key)),
  };
}

/** What a token belongs to: the method, who calls it, and everything asked for but the page. */
function listOf(context: HandlerContext, request: Message): string {
  const { method } = context;
  const input: DescMessage = method.input;
  const filters = create(input, { ...request, page: undefined } as MessageInitShape<DescMessage>);
  const asked = Buffer.from(toBinary(input, filters)).toString("base64");
  return JSON.stringify([method.parent.typeName, method.name, callerOf(context).principal.id, asked]);
}

function writeToken(list: string, key: readonly string[]): string {
  return Buffer.from(JSON.stringify([checkOf(list, key), ...key])).toString("base64url");
}

function readToken(token: string, list: string, parts: number): readonly string[] {
  try {
    const [check, ...key]: unknown[] = JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
    const isKey = (part: unknown): part is string => typeof part === "string";
    if (key.length === parts && key.every(isKey) && check === checkOf(list, key)) return key;
  } catch {
    // Said below.
  }
  throw new AimassError("INVALID_ARGUMENT", "The page token is not one of this list.", {
    field: "page.token",
    remedy: "Start without a token, and keep the filters while you read on.",
  });
}

/** Tells mixed-up tokens, not forged ones: whoever makes one up gets nothing that they could not list. */
function checkOf(list: string, key: readonly string[]): string {
  return createHash("sha256")
    .update(JSON.stringify([list, key]))
    .digest("base64url")
    .slice(0, checkLength);
}
