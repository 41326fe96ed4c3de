import { parseAst } from "rolldown/parseAst";
import type { SourceFile } from "./source-files.ts";

/** A node of ESTree, as far as the rules look at it. */
export interface Node {
  readonly type: string;
  readonly [key: string]: unknown;
}

export function syntaxTree({ path, text }: SourceFile): Node {
  return parseAst(text, { lang: "ts" }, path) as unknown as Node;
}

/** A node and all in it, outer ones first. */
export function* walk(node: unknown): Generator<Node> {
  if (typeof node !== "object" || node === null) return;
  if (isNode(node)) yield node;
  for (const child of Object.values(node)) yield* walk(child);
}

/** Those right below a node, those of lists too. */
export function* childrenOf(node: Node): Generator<Node> {
  for (const child of Object.values(node).flat()) if (isNode(child)) yield child;
}

export function nameOf(node: unknown): string | undefined {
  const { type, name } = (node ?? {}) as Node;
  return type === "Identifier" || type === "PrivateIdentifier" ? (name as string) : undefined;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as Node).type === "string";
}
