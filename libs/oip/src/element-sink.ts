import { AimassError } from "@aimass/core";
import { type Datatype, elementSize } from "./datatype.ts";
import type { JsonReader } from "./json-reader.ts";
import { type ElementArray, elementsOf, type FixedDatatype } from "./tensor.ts";

/** Where an element stands, for its refusal: 'Element 3 of tensor "x" of FP32', and the field of the error. */
export type ElementPlace = (index: number) => { readonly subject: string; readonly field: string };

/** What the tensors of one request may take together: a few characters of JSON can stand for eight bytes. */
export class ByteBudget {
  readonly #limit: number;
  #left: number;

  constructor(limit: number) {
    this.#limit = limit;
    this.#left = limit;
  }

  /** Throws RESOURCE_EXHAUSTED when there is no room for so many bytes more. */
  take(bytes: number): void {
    this.#left -= bytes;
    if (this.#left >= 0) return;
    throw new AimassError("RESOURCE_EXHAUSTED", `The inputs take more than ${this.#limit} bytes as tensors.`, {
      reason: "BODY_TOO_LARGE",
      remedy: "Send fewer samples in one request.",
    });
  }
}

/** Takes in the elements of one tensor, one JSON value after the other. What a value may be is up to the kind of sink. */
export abstract class ElementSink {
  /** Elements so far. */
  count = 0;
  readonly datatype: Datatype;
  readonly #place: ElementPlace;

  constructor(datatype: Datatype, place: ElementPlace) {
    this.datatype = datatype;
    this.#place = place;
  }

  /** Takes in the next value of the text. Throws INVALID_ARGUMENT when it is none the data type can hold. */
  put(reader: JsonReader): void {
    switch (reader.kind()) {
      case "number":
        reader.readNumber();
        this.number(reader);
        break;
      case "string":
        this.text(reader);
        break;
      case "boolean":
        this.boolean(reader.boolean());
        break;
      case "null":
        reader.null();
        this.gap();
        break;
      case "nothing":
        throw reader.broken();
      default:
        throw this.refusal(`a ${reader.kind()}`, "Nest all rows alike, as the shape says.");
    }
    this.count++;
  }

  /** Takes in a cell of a table of texts; an empty one is not there. */
  putCell(text: string): void {
    if (text === "") this.gap();
    else this.cell(text);
    this.count++;
  }

  /** Takes in an element that is not there. */
  putGap(): void {
    this.gap();
    this.count++;
  }

  /** The elements as the bytes of a tensor. */
  abstract finish(): Uint8Array;

  protected abstract number(reader: JsonReader): void;
  protected text(reader: JsonReader): void {
    this.cell(reader.string());
  }

  protected abstract cell(text: string): void;
  protected abstract boolean(value: boolean): void;
  protected abstract gap(): void;

  /** The refusal of the element that is being taken in. */
  protected refusal(is: string, remedy: string): AimassError {
    const { subject, field } = this.#place(this.count);
    return new AimassError("INVALID_ARGUMENT", `${subject} is ${is}.`, { reason: "BAD_ELEMENT", field, remedy });
  }
}

/** Elements of one size in a typed array that grows. */
export abstract class FixedSink<A extends ElementArray> extends ElementSink {
  protected elements: A;
  readonly #budget: ByteBudget;

  /** `capacity`: elements there is room for at first. */
  constructor(
    datatype: FixedDatatype,
    { place, budget, capacity }: { place: ElementPlace; budget: ByteBudget; capacity: number },
  ) {
    super(datatype, place);
    this.#budget = budget;
    const bytes = Math.max(capacity, 1) * elementSize(datatype);
    budget.take(bytes);
    this.elements = elementsOf(datatype, new Uint8Array(bytes)) as A;
  }

  finish(): Uint8Array {
    const { elements, count } = this;
    return new Uint8Array(elements.buffer, elements.byteOffset, count * elements.BYTES_PER_ELEMENT);
  }

  /** Makes room for the element that is being taken in. */
  protected makeRoom(): void {
    const { elements, datatype } = this;
    if (this.count < elements.length) return;
    this.#budget.take(elements.byteLength);
    const bytes = new Uint8Array(elements.byteLength * 2);
    bytes.set(new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength));
    this.elements = elementsOf(datatype as FixedDatatype, bytes) as A;
  }
}
