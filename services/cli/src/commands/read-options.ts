import { ColumnType, type ReadOptionsSchema } from "@aimass/api/registry";
import { AimassError } from "@aimass/core";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { oneOf } from "../training/arguments.ts";
import { pairs } from "./context.ts";

export type ReadOptions = MessageInitShape<typeof ReadOptionsSchema>;

/** The options that say how a table is read. */
export interface ReadFlags {
  readonly delimiter?: string;
  readonly missing?: string[];
  readonly onlyMissing?: string[];
  readonly keepIndex?: boolean;
  readonly type?: string[];
  readonly encoding?: string;
  readonly decimal?: string;
  readonly thousands?: string;
  readonly sheet?: string;
  readonly columns?: string[];
  readonly without?: string[];
  readonly rename?: string[];
}

/** Adds the options that say how a table is read. */
export function withReadOptions(command: Command): Command {
  return command
    .option("--delimiter <character>", "between the cells of CSV, for instance ';' or '\\t'")
    .option("--missing <cell...>", "cells that mean \"no value\" beside the usual ones (NA, NaN, null …): '?' -999")
    .option("--only-missing <cell...>", "cells that mean \"no value\", and no others: '' lets NA and None be words")
    .option("--keep-index", "keep the index that pandas wrote, and row names without a name")
    .option("--type <column=type...>", "columns that are not what they look like: zip=string day=date:DMY")
    .option("--encoding <label>", "of text: windows-1252, utf-16le, gbk …; UTF-8 when left out")
    .option("--decimal <sign>", "before the decimals of CSV: ','")
    .option("--thousands <sign>", "between groups of three digits of CSV: '.' or ' '")
    .option("--sheet <name>", "of a workbook; the first sheet when left out")
    .option("--columns <column...>", "the only columns that are read")
    .option("--without <column...>", "columns that are left out, whatever they hold")
    .option("--rename <old=new...>", "columns that get another name");
}

const types = {
  number: ColumnType.NUMBER,
  string: ColumnType.STRING,
  boolean: ColumnType.BOOLEAN,
} as const;

/** Columns of dates, and what comes first in them. */
const dates = { "date:DMY": "DMY", "date:MDY": "MDY", "date:YMD": "YMD" } as const;

/** What the options say, for a dataset that is pushed. Errors: INVALID_ARGUMENT. */
export function readOptions(options: ReadFlags): ReadOptions {
  const { delimiter, missing = [], onlyMissing, keepIndex, type, columns = [], without = [], rename } = options;
  if (missing.length > 0 && onlyMissing !== undefined)
    throw new AimassError("INVALID_ARGUMENT", "--missing and --only-missing are both given.", {
      remedy: "--missing adds to the usual cells; --only-missing names all of them.",
    });
  const declared = Object.entries(pairs(type)).map(([column, word]) => [column, columnWord(column, word)] as const);
  return {
    missing: onlyMissing ?? missing,
    onlyMissing: onlyMissing !== undefined,
    keepIndex: keepIndex ?? false,
    encoding: options.encoding ?? "",
    decimal: options.decimal ?? "",
    thousands: options.thousands ?? "",
    sheet: options.sheet ?? "",
    columns,
    without,
    rename: pairs(rename),
    delimiter: delimiter === undefined ? "" : oneCharacter(delimiter),
    types: Object.fromEntries(declared.flatMap(([column, word]) => (isDates(word) ? [] : [[column, types[word]]]))),
    dates: Object.fromEntries(declared.flatMap(([column, word]) => (isDates(word) ? [[column, dates[word]]] : []))),
  };
}

function columnWord(column: string, word: string): keyof typeof types | keyof typeof dates {
  const words = [...Object.keys(types), ...Object.keys(dates)] as (keyof typeof types | keyof typeof dates)[];
  return oneOf(`--type ${column}`, word, words);
}

function isDates(word: string): word is keyof typeof dates {
  return Object.hasOwn(dates, word);
}

function oneCharacter(text: string): string {
  const character = text === "\\t" || text === "tab" ? "\t" : text;
  if (character.length !== 1)
    throw new AimassError("INVALID_ARGUMENT", `--delimiter is "${text}".`, {
      remedy: "Give one character, like ';' or '\\t'.",
    });
  return character;
}
