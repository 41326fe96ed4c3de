import type { ByteBudget } from "./element-sink.ts";
import type { JsonReader } from "./json-reader.ts";
import type { PassedOver } from "./predict-columns.ts";
import type { SignatureView } from "./signature.ts";

/** What every part of a body of `/predict` is read with. */
export interface Means {
  readonly reader: JsonReader;
  readonly signature: SignatureView;
  readonly budget: ByteBudget;
  readonly passedOver: PassedOver;
}
