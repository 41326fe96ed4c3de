import { type Accents, codePoints, normalForms } from "./characters.ts";

const plain = /^[ -@[-~]*$/;
const ascii = /^[ -~]*$/;

/**
 * Text in its normal form: every code point replaced by its own normal form. With `joinSpaces` a space right after a space goes. `addNormaliser` adds the same to a
 * graph.
 */
export class Normaliser {
  private readonly joinSpaces: boolean;
  private readonly forms: readonly string[];
  /** For each code point the place of its form; 0 for those that stay. */
  private readonly places = new Uint16Array(codePoints);
  private readonly far = new Map<number, string>();

  constructor(accents: Accents, joinSpaces: boolean) {
    this.joinSpaces = joinSpaces;
    const forms = [""];
    for (const [code, form] of normalForms(accents)) {
      if (code >= codePoints) this.far.set(code, form);
      else this.places[code] = forms.push(form) - 1;
    }
    this.forms = forms;
  }

  normalise(text: string): string {
    if (ascii.test(text) && !(this.joinSpaces && text.includes("  "))) {
      return plain.test(text) ? text : text.toLowerCase();
    }
    return this.replaced(text);
  }

  private replaced(text: string): string {
    let result = "";
    let kept = 0;
    let afterSpace = false;
    for (let at = 0; at < text.length; ) {
      const code = text.codePointAt(at) as number;
      const next = at + (code > 0xffff ? 2 : 1);
      const form = this.formOf(code);
      const isSpace = form === undefined ? code === 0x20 : form === " ";
      const dropped = isSpace && afterSpace && this.joinSpaces;
      if (form !== undefined || dropped) {
        result += text.slice(kept, at) + (dropped ? "" : form);
        kept = next;
      }
      afterSpace = isSpace;
      at = next;
    }
    return kept === 0 ? text : result + text.slice(kept);
  }

  private formOf(code: number): string | undefined {
    if (code >= codePoints) return this.far.get(code);
    const place = this.places[code] as number;
    return place === 0 ? undefined : this.forms[place];
  }
}
