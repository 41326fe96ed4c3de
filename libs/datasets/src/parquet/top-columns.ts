import type { SchemaElement } from "hyparquet";
import { badFile } from "../cells/bad-cell.ts";
import { type Conversion, conversionOf } from "./conversion.ts";

/** How deep the levels of a column of lists go (Dremel; https://parquet.apache.org/docs/file-format/nestedencoding/). */
export interface ListLevels {
  /** The definition level of a number that is there. */
  readonly present: number;
  /** The lowest definition level at which a list has an element, though it may be null. */
  readonly element: number;
  /** The lowest definition level of a list that is not null. */
  readonly list: number;
}

/** One column at the top of a Parquet file's schema. */
export interface TopColumn {
  readonly name: string;
  /** The first of its chunks in every row group, and how many it has. */
  readonly chunk: number;
  readonly chunks: number;
  readonly kind:
    | { readonly kind: "flat"; readonly element: SchemaElement; readonly conversion: Conversion }
    | {
        readonly kind: "list";
        readonly element: SchemaElement;
        readonly conversion: Conversion;
        readonly levels: ListLevels;
        /** What no model takes, though versions from before have it; ends a sentence. */
        readonly unfit?: string;
      }
    /** `what` ends a sentence: "holds structs". */
    | { readonly kind: "other"; readonly what: string };
}

interface Node {
  readonly element: SchemaElement;
  readonly children: readonly Node[];
}

/** The columns at the top of a footer's schema, whose elements stand one after the other, depth first. */
export function topColumns(elements: readonly SchemaElement[]): TopColumn[] {
  const nodes: Node[] = [];
  for (let at = 0; at < elements.length; ) {
    const { node, next } = nodeAt(elements, at, 0);
    nodes.push(node);
    at = next;
  }
  let chunk = 0;
  return nodes.map((node) => {
    const chunks = leavesOf(node);
    const column = { name: node.element.name, chunk, chunks, kind: kindOf(node) };
    chunk += chunks;
    return column;
  });
}

const deepest = 100;

function nodeAt(elements: readonly SchemaElement[], at: number, depth: number): { node: Node; next: number } {
  const element = elements[at];
  if (element === undefined || depth > deepest)
    throw badFile("The Parquet file's schema is damaged.", "Write it anew.");
  const children: Node[] = [];
  let next = at + 1;
  for (let child = 0; child < (element.num_children ?? 0); child++) {
    const found = nodeAt(elements, next, depth + 1);
    children.push(found.node);
    next = found.next;
  }
  return { node: { element, children }, next };
}

function leavesOf({ element, children }: Node): number {
  if (children.length === 0) return element.type === undefined ? 0 : 1;
  return children.reduce((sum, child) => sum + leavesOf(child), 0);
}

function kindOf(node: Node): TopColumn["kind"] {
  const { element, children } = node;
  if (children.length > 0) return nestedKind(node);
  const conversion = element.type === undefined ? undefined : conversionOf(element);
  if (element.repetition_type === "REPEATED") {
    return listKind(element, conversion, { list: 0, element: 1, present: 1 });
  }
  if (conversion === undefined) return { kind: "other", what: `holds values of type ${typeName(element)}` };
  return { kind: "flat", element, conversion };
}

function nestedKind({ element, children }: Node): TopColumn["kind"] {
  const logical = element.logical_type?.type ?? element.converted_type;
  const [middle] = children;
  if (logical === "MAP" || logical === "MAP_KEY_VALUE") return { kind: "other", what: "holds maps" };
  const isList = children.length === 1 && middle?.element.repetition_type === "REPEATED";
  if (!isList || element.repetition_type === "REPEATED") return { kind: "other", what: "holds structs" };
  const outer = element.repetition_type === "REQUIRED" ? 0 : 1;
  if (middle.children.length === 0) {
    const conversion = conversionOf(middle.element);
    return listKind(middle.element, conversion, { list: outer, element: outer + 1, present: outer + 1 });
  }
  const [inner] = middle.children;
  if (middle.children.length > 1 || inner === undefined || inner.children.length > 0) {
    return { kind: "other", what: "holds lists of structs or of lists" };
  }
  const present = outer + 1 + (inner.element.repetition_type === "REQUIRED" ? 0 : 1);
  return listKind(inner.element, conversionOf(inner.element), { list: outer, element: outer + 1, present });
}

function listKind(element: SchemaElement, conversion: Conversion | undefined, levels: ListLevels): TopColumn["kind"] {
  if (conversion?.former !== undefined) {
    return { kind: "list", element, conversion: conversion.former, levels, unfit: "holds lists of times of day" };
  }
  if (conversion?.type !== "number" || (element.repetition_type === "REPEATED" && levels.present > 1)) {
    return { kind: "other", what: "holds lists of other values than numbers" };
  }
  return { kind: "list", element, conversion, levels };
}

function typeName(element: SchemaElement): string {
  return element.logical_type?.type ?? element.converted_type ?? element.type ?? "unknown";
}
