import { AimassError } from "@aimass/core";
import { BytesSink } from "./bytes-sink.ts";
import { type Datatype, elementCount, formatShape, maxRank, quoted } from "./datatype.ts";
import type { ElementPlace, ElementSink } from "./element-sink.ts";
import { badJson, type JsonRange, type JsonReader } from "./json-reader.ts";
import { numberSink, type SinkOptions } from "./number-sinks.ts";

/** Name, type and shape of a tensor whose elements are JSON. */
export interface ElementTarget {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
}

/** A sink for elements of a data type. */
export function sinkFor(datatype: Datatype, options: SinkOptions): ElementSink {
  return datatype === "BYTES" ? new BytesSink(options) : numberSink(datatype, options);
}

/** Elements of a tensor, counted from 0. */
export function inTensor({ name, datatype }: Pick<ElementTarget, "name" | "datatype">): ElementPlace {
  return (index) => ({ subject: `Element ${index} of tensor ${quoted(name)} of ${datatype}`, field: name });
}

/**
 * Reads the data of a tensor, flat or nested as its shape says, as raw bytes. Room is made for what the text can hold, never for what a shape claims.
 * Throws INVALID_ARGUMENT for a wrong count, a nesting that is not the shape's, or an element the type cannot hold.
 */
export function readData(
  reader: JsonReader,
  data: JsonRange | undefined,
  target: ElementTarget,
  budget: SinkOptions["budget"],
): Uint8Array {
  const count = elementCount(target.shape, target.name);
  const room = data === undefined ? 0 : Math.ceil((data.end - data.start) / 2);
  const place = inTensor(target);
  const sink = sinkFor(target.datatype, { place, budget, capacity: Math.min(count, room) });
  if (data === undefined) {
    if (count === 0) return sink.finish();
    throw badData(target, "nothing as its data", "Data is a list, flat or nested as the shape says.");
  }
  reader.at = data.start;
  if (reader.kind() !== "list") {
    if (target.shape.length > 0) {
      throw badData(target, `a ${reader.kind()} as its data`, "Data is a list, flat or nested as the shape says.");
    }
    sink.put(reader);
    return sink.finish();
  }
  if (reader.nesting() < 2 || target.shape.length < 2) readFlat(reader, sink);
  else readShaped(reader, sink, target, 0);
  if (sink.count === count) return sink.finish();
  throw badData(target, `${sink.count} elements instead of ${count}`, "Send as many elements as the shape says.");
}

/** Reads a list of lists …, or a single value, into a sink; gives back its shape. `where` names it in refusals. Throws INVALID_ARGUMENT for rows that are not alike. */
export function readNested(reader: JsonReader, sink: ElementSink, where: string): number[] {
  const rank = reader.nesting();
  if (rank > maxRank) throw badJson(`${where} has more than ${maxRank} axes`);
  const shape = new Array<number>(rank).fill(-1);
  if (rank === 0) sink.put(reader);
  else readAxis(reader, sink, { shape, where }, 0);
  return shape.map((size) => Math.max(size, 0));
}

function readFlat(reader: JsonReader, sink: ElementSink): void {
  reader.enter("list");
  for (let isFirst = true; reader.more("list", isFirst); isFirst = false) sink.put(reader);
}

function readShaped(reader: JsonReader, sink: ElementSink, target: ElementTarget, axis: number): void {
  let length = 0;
  const isLast = axis === target.shape.length - 1;
  reader.enter("list");
  for (; reader.more("list", length === 0); length++) {
    if (isLast) sink.put(reader);
    else if (reader.kind() === "list") readShaped(reader, sink, target, axis + 1);
    else {
      const given = `a ${reader.kind()} on axis ${axis}`;
      throw badData(target, given, "Nest all rows alike, or send flat data.");
    }
  }
  if (length === target.shape[axis]) return;
  const remedy = `Nested lists are as long as the shape says, ${target.shape[axis]} here.`;
  throw badData(target, `${length} entries on axis ${axis}`, remedy);
}

function readAxis(
  reader: JsonReader,
  sink: ElementSink,
  { shape, where }: { shape: number[]; where: string },
  axis: number,
): void {
  let length = 0;
  const isLast = axis === shape.length - 1;
  reader.enter("list");
  for (; reader.more("list", length === 0); length++) {
    if (isLast) sink.put(reader);
    else if (reader.kind() === "list") readAxis(reader, sink, { shape, where }, axis + 1);
    else throw ragged(where, `a ${reader.kind()} beside lists on axis ${axis}`);
  }
  const size = shape[axis] as number;
  if (size < 0) shape[axis] = length;
  else if (size !== length) throw ragged(where, `lists of ${size} and of ${length} entries on axis ${axis}`);
}

function ragged(where: string, what: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", `${where} has ${what}.`, {
    reason: "BAD_DATA",
    remedy: "Nest all rows alike.",
  });
}

function badData(target: ElementTarget, given: string, remedy: string): AimassError {
  const type = `${target.datatype}${formatShape(target.shape)}`;
  return new AimassError("INVALID_ARGUMENT", `Tensor ${quoted(target.name)} of ${type} has ${given}.`, {
    reason: "BAD_DATA",
    field: target.name,
    remedy,
  });
}
