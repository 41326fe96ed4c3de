/**
 * Small records by name in a folder of their own beside the artifacts, for what must be found again without anybody keeping its digest. Nothing here is
 * collected as garbage. Safe for several processes over one storage. Names are letters, digits, "-", "_" and ".", and do not begin with ".".
 */
export interface RecordStore extends AsyncDisposable {
  /** Writes a record, whole or not at all. One of that name is replaced. Errors: RESOURCE_EXHAUSTED (no room). */
  put(name: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void>;
  /** A record's bytes, or undefined when it is not here. */
  get(name: string, signal?: AbortSignal): Promise<Uint8Array | undefined>;
  /** Removes a record; no error when it is not here. */
  remove(name: string): Promise<void>;
  /** Every name, in no particular order. */
  names(signal?: AbortSignal): AsyncIterable<string>;
}

/** Throws for a name that could be another place. */
export function assertRecordName(name: string): void {
  if (!/^[\w-][\w.-]*$/.test(name)) throw new RangeError(`"${name}" is not a record's name.`);
}
