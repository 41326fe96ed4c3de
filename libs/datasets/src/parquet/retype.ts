import { keepAsText } from "../cells/bad-cell.ts";
import { booleanOf, numberOf } from "../cells/cell-values.ts";
import { beyondExact, lostDigits } from "../cells/lost-digits.ts";
import type { ColumnType } from "../schema.ts";
import { BadValue, type Conversion, type Converted } from "./conversion.ts";
import type { RawValues } from "./raw-values.ts";

/** The values as the type the schema wants: everything can be text; text and booleans can be numbers where they are. */
export function retype(conversion: Conversion, raw: RawValues, wanted: ColumnType): Converted {
  if (wanted === conversion.type) return conversion.convert(raw);
  if (wanted === "number" && conversion.former !== undefined) return conversion.former.convert(raw);
  if (wanted === "string") return { type: "string", values: conversion.texts(raw) };
  if (wanted === "image") throw new BadValue(0, "the column is declared as images", keepAsText);
  const texts = conversion.texts(raw);
  return wanted === "number" ? parseNumbers(texts) : parseBooleans(texts);
}

function parseNumbers(texts: readonly string[]): Converted {
  const values = Float64Array.from(texts, (text, index) => {
    const value = text === "true" ? 1 : text === "false" ? 0 : numberOf(text);
    if (value === undefined) throw new BadValue(index, `${JSON.stringify(text)} is not a number`, keepAsText);
    if (lostDigits(text, value) === "whole") throw new BadValue(index, `${text} ${beyondExact(text)}`, keepAsText);
    return value;
  });
  return { type: "number", values };
}

function parseBooleans(texts: readonly string[]): Converted {
  const values = Uint8Array.from(texts, (text, index) => {
    const value = booleanOf(text);
    if (value === undefined) {
      throw new BadValue(index, `${JSON.stringify(text)} is neither true nor false`, keepAsText);
    }
    return value;
  });
  return { type: "boolean", values };
}
