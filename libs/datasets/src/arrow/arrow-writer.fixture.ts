/** A field of a FlatBuffer's table, or what it refers to. What is given twice is written once, and shared. */
export type FlatValue =
  | { readonly byte: number }
  | { readonly short: number }
  | { readonly int: number }
  | { readonly long: bigint }
  | FlatNode;

export type FlatNode =
  | { readonly table: Readonly<Record<number, FlatValue>> }
  | { readonly text: string }
  | { readonly tables: readonly FlatNode[] }
  | { readonly words: readonly bigint[]; readonly each: number };

/** The bytes of a FlatBuffer. */
export function flatBuffer(root: FlatNode): Buffer {
  const order: FlatNode[] = [];
  const seen = new Set<FlatNode>();
  const visit = (node: FlatNode): void => {
    if (seen.has(node)) return;
    seen.add(node);
    for (const child of childrenOf(node)) visit(child);
    order.unshift(node);
  };
  visit(root);
  // References point forward: whoever refers to something stands before it.
  const places = new Map<FlatNode, number>();
  let end = 8;
  for (const node of order) {
    const start = align(end);
    places.set(node, "table" in node ? start + align(vtableBytes(node)) : start + ("words" in node ? 4 : 0));
    end = start + sizeOf(node);
  }
  const bytes = Buffer.alloc(align(end));
  bytes.writeUInt32LE(places.get(root) as number, 0);
  for (const node of order) write(bytes, node, places);
  return bytes;
}

const align = (at: number) => Math.ceil(at / 8) * 8;
const lastField = (node: FlatNode & { table: object }) => Math.max(-1, ...Object.keys(node.table).map(Number));
const vtableBytes = (node: FlatNode & { table: object }) => 4 + 2 * (lastField(node) + 1);
const isNode = (value: FlatValue): value is FlatNode =>
  "table" in value || "text" in value || "tables" in value || "words" in value;

function childrenOf(node: FlatNode): readonly FlatNode[] {
  if ("tables" in node) return node.tables;
  return "table" in node ? Object.values(node.table).filter(isNode) : [];
}

/** Every field of a table takes 8 bytes. */
function sizeOf(node: FlatNode): number {
  if ("table" in node) return align(vtableBytes(node)) + 8 + 8 * (lastField(node) + 1);
  if ("text" in node) return 4 + Buffer.byteLength(node.text);
  return "tables" in node ? 4 + 4 * node.tables.length : 8 + 8 * node.words.length;
}

function write(bytes: Buffer, node: FlatNode, places: ReadonlyMap<FlatNode, number>): void {
  const at = places.get(node) as number;
  const refer = (from: number, to: FlatNode) => bytes.writeUInt32LE((places.get(to) as number) - from, from);
  if ("text" in node) {
    bytes.writeUInt32LE(Buffer.byteLength(node.text), at);
    bytes.write(node.text, at + 4);
  } else if ("tables" in node) {
    bytes.writeUInt32LE(node.tables.length, at);
    for (const [i, child] of node.tables.entries()) refer(at + 4 + 4 * i, child);
  } else if ("words" in node) {
    bytes.writeUInt32LE(node.words.length / node.each, at);
    for (const [i, word] of node.words.entries()) bytes.writeBigInt64LE(word, at + 4 + 8 * i);
  } else {
    const vtable = at - align(vtableBytes(node));
    bytes.writeUInt16LE(vtableBytes(node), vtable);
    bytes.writeInt32LE(at - vtable, at);
    for (const [key, value] of Object.entries(node.table)) {
      const field = 8 + 8 * Number(key);
      bytes.writeUInt16LE(field, vtable + 4 + 2 * Number(key));
      if (isNode(value)) refer(at + field, value);
      else if ("byte" in value) bytes.writeUInt8(value.byte, at + field);
      else if ("short" in value) bytes.writeInt16LE(value.short, at + field);
      else if ("int" in value) bytes.writeInt32LE(value.int, at + field);
      else bytes.writeBigInt64LE(value.long, at + field);
    }
  }
}

export interface WrittenArrow {
  /** Tables `Field` of the schema. */
  readonly fields: readonly FlatNode[];
  readonly metadata?: readonly FlatNode[];
  readonly dictionaries?: readonly WrittenBatch[];
  readonly batches?: readonly WrittenBatch[];
  /** How often the footer names each batch. */
  readonly times?: number;
}

export interface WrittenBatch {
  /** Of a dictionary. */
  readonly id?: number;
  readonly rows: number;
  /** Length of each array. */
  readonly nodes: readonly number[];
  readonly buffers: readonly Uint8Array[];
  /** How many buffers of texts each view has. */
  readonly views?: readonly number[];
}

/** An Arrow IPC file, uncompressed. */
export function arrowOf({ fields, metadata = [], dictionaries = [], batches = [], times = 1 }: WrittenArrow): Buffer {
  const parts: Uint8Array[] = [Buffer.from("ARROW1\0\0")];
  let size = 8;
  const add = (batch: WrittenBatch): readonly bigint[] => {
    const body = Buffer.concat(batch.buffers.map(padded));
    const metadata = messageOf(batch, body.length);
    const block = [BigInt(size), BigInt(metadata.length), BigInt(body.length)];
    parts.push(metadata, body);
    size += metadata.length + body.length;
    return block;
  };
  const [first, second] = [dictionaries, batches].map((all) => all.map(add));
  const repeated = (blocks: readonly (readonly bigint[])[] = []) => Array.from({ length: times }, () => blocks).flat(2);
  const schema: FlatNode = { table: { 0: { short: 0 }, 1: { tables: fields }, 2: { tables: metadata } } };
  const footer = flatBuffer({
    table: {
      0: { short: 4 },
      1: schema,
      2: { words: (first ?? []).flat(), each: 3 },
      3: { words: repeated(second), each: 3 },
    },
  });
  const length = Buffer.alloc(4);
  length.writeInt32LE(footer.length);
  return Buffer.concat([...parts, footer, length, Buffer.from("ARROW1")]);
}

function messageOf({ id, rows, nodes, buffers, views = [] }: WrittenBatch, bodyBytes: number): Buffer {
  let at = 0;
  const places = buffers.flatMap((buffer) => {
    const place = [BigInt(at), BigInt(buffer.byteLength)];
    at += align(buffer.byteLength);
    return place;
  });
  const batch: FlatNode = {
    table: {
      0: { long: BigInt(rows) },
      1: { words: nodes.flatMap((length) => [BigInt(length), 0n]), each: 2 },
      2: { words: places, each: 2 },
      4: { words: views.map(BigInt), each: 1 },
    },
  };
  const header: FlatNode = id === undefined ? batch : { table: { 0: { long: BigInt(id) }, 1: batch } };
  const kind = { byte: id === undefined ? 3 : 2 };
  const message = flatBuffer({ table: { 0: { short: 4 }, 1: kind, 2: header, 3: { long: BigInt(bodyBytes) } } });
  const prefix = Buffer.alloc(8);
  prefix.writeUInt32LE(0xffffffff, 0);
  prefix.writeInt32LE(message.length, 4);
  return Buffer.concat([prefix, message]);
}

function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes], align(bytes.byteLength));
}
