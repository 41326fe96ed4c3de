import { AimassError } from "@aimass/core";

/** A message in protobuf's text format: its fields in order, with the values of each. */
export type TextMessage = ReadonlyMap<string, readonly TextValue[]>;

/** A string literal, a bare word or number, or a message. */
export type TextValue =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "word"; readonly text: string }
  | { readonly kind: "message"; readonly fields: TextMessage };

interface Token {
  readonly kind: "word" | "text" | "sign" | "end";
  readonly text: string;
  readonly line: number;
}

/** Deeper than any message that means something. */
const deepest = 100;
const tokenPattern =
  /(?<space>\s+|#[^\n]*)|(?<text>"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*')|(?<word>[\w.+-]+)|(?<sign>[{}<>[\]:;,])/y;

/** Parses protobuf's text format (https://protobuf.dev/reference/protobuf/textformat-spec/), but for extensions and Any. Errors: INVALID_ARGUMENT with file and line. */
export function parseTextFormat(source: string, file: string): TextMessage {
  return new TextFormat(source, file).whole();
}

class TextFormat {
  readonly #file: string;
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(source: string, file: string) {
    this.#file = file;
    this.#tokens = tokensOf(source, (line, what) => this.#error(line, what));
  }

  whole(): TextMessage {
    return this.#message("");
  }

  /** Fields up to `end`, a sign or "" for the end of the file. */
  #message(end: string): TextMessage {
    if (++this.#depth > deepest) throw this.#wrong("nests too deeply");
    const fields = new Map<string, TextValue[]>();
    while (!this.#isEnd(end)) {
      const { kind, text: name } = this.#next();
      if (kind !== "word") throw this.#wrong(`has ${shown(name)} where a field's name should be`);
      const values = fields.get(name) ?? [];
      fields.set(name, values);
      const colon = this.#take(":");
      values.push(...(this.#take("[") ? this.#list() : [this.#value(colon)]));
      if (!this.#take(",")) this.#take(";");
    }
    this.#depth -= 1;
    return fields;
  }

  #isEnd(end: string): boolean {
    if (end !== "") return this.#take(end);
    return this.#peek().kind === "end";
  }

  #list(): TextValue[] {
    const values: TextValue[] = [];
    if (this.#take("]")) return values;
    do values.push(this.#value(true));
    while (this.#take(","));
    if (!this.#take("]")) throw this.#wrong(`has ${shown(this.#peek().text)} where "," or "]" should be`);
    return values;
  }

  #value(mayBeScalar: boolean): TextValue {
    if (this.#take("{")) return { kind: "message", fields: this.#message("}") };
    if (this.#take("<")) return { kind: "message", fields: this.#message(">") };
    const { kind, text } = this.#peek();
    if (!mayBeScalar || (kind !== "word" && kind !== "text"))
      throw this.#wrong(`has ${shown(text)} where a value should be`);
    this.#at += 1;
    if (kind === "word") return { kind, text };
    let joined = unescaped(text);
    while (this.#peek().kind === "text") joined += unescaped(this.#next().text);
    return { kind, text: joined };
  }

  #peek(): Token {
    return this.#tokens[this.#at] as Token;
  }

  #next(): Token {
    const token = this.#peek();
    if (token.kind !== "end") this.#at += 1;
    return token;
  }

  #take(sign: string): boolean {
    const token = this.#peek();
    if (token.kind !== "sign" || token.text !== sign) return false;
    this.#at += 1;
    return true;
  }

  #wrong(what: string): AimassError {
    return this.#error(this.#peek().line, what);
  }

  #error(line: number, what: string): AimassError {
    return new AimassError("INVALID_ARGUMENT", `${this.#file}, line ${line}: it ${what}.`, {
      remedy: "The file is a ModelConfig in protobuf text format: a field a line, like max_batch_size: 8.",
    });
  }
}

function tokensOf(source: string, error: (line: number, what: string) => AimassError): Token[] {
  const tokens: Token[] = [];
  const pattern = new RegExp(tokenPattern);
  let line = 1;
  for (let at = source.startsWith("\uFEFF") ? 1 : 0; at < source.length; at = pattern.lastIndex) {
    pattern.lastIndex = at;
    const match = pattern.exec(source);
    if (match === null) throw error(line, `has ${shown(source[at] ?? "")}, which means nothing there`);
    const { space, text, word, sign } = match.groups ?? {};
    if (text !== undefined) tokens.push({ kind: "text", text, line });
    else if (word !== undefined) tokens.push({ kind: "word", text: word, line });
    else if (sign !== undefined) tokens.push({ kind: "sign", text: sign, line });
    else line += space?.split("\n").length ?? 1;
    if (space !== undefined) line -= 1;
  }
  tokens.push({ kind: "end", text: "", line });
  return tokens;
}

const shown = (text: string) => (text === "" ? "its end" : JSON.stringify(text.slice(0, 40)));

const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", a: "\x07", b: "\b", f: "\f", v: "\v" };

/** A literal without its quotes; octal and hexadecimal escapes are bytes of UTF-8. */
function unescaped(literal: string): string {
  const parts = literal
    .slice(1, -1)
    .matchAll(/\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\s\S]))|[^\\]+/g);
  const bytes: Buffer[] = [];
  for (const [plain, hex, octal, short, long, letter] of parts) {
    if (hex !== undefined) bytes.push(Buffer.from([Number.parseInt(hex, 16)]));
    else if (octal !== undefined) bytes.push(Buffer.from([Number.parseInt(octal, 8) & 255]));
    else if (short !== undefined || long !== undefined)
      bytes.push(Buffer.from(String.fromCodePoint(Math.min(Number.parseInt(short ?? long ?? "0", 16), 0x10ffff))));
    else bytes.push(Buffer.from(letter === undefined ? plain : (escapes[letter] ?? letter)));
  }
  return Buffer.concat(bytes).toString("utf8");
}
