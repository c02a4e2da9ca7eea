// The binary catalogs that msgfmt makes: a header of seven numbers, then two tables, of
// messages and of their translations, each entry a length and an offset. Plural forms of a
// message are separated by NUL, its context stands in front of it, behind it an EOT. The
// translation of the empty message is a block of fields that names charset and plural rule.

const MAGIC = 0x950412de;
const ENTRY_SIZE = 8;
const CHARSET_REGEXP = /^content-type:.*?\bcharset=([\w-]+)/im;
const PLURAL_REGEXP = /^plural-forms:.*?\bplural\s*=\s*([^;\n]+)/im;

// What a plural rule is made of; a program cannot be written with it.
const RULE_REGEXP = /^[n\d\s?:|&=!<>+*/%()-]+$/;

/** Returns the number of the form for a count. */
type PluralRule = (count: number) => number;

/** A parsed catalog. */
export class Catalog {
  readonly #forms = new Map<string, readonly string[]>();
  #rule: PluralRule = (count) => count === 1 ? 0 : 1;

  /**
   * Parses the content of a file.
   *
   * @throws {TypeError} when it is no catalog.
   */
  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const isLittle = bytes.length >= 28 && view.getUint32(0, true) === MAGIC;
    if (!isLittle && (bytes.length < 28 || view.getUint32(0, false) !== MAGIC)) {
      throw new TypeError("Cannot read translations: it is no gettext catalog");
    }
    const word = (at: number) => {
      if (at + 4 > bytes.length) throw new TypeError("Cannot read translations: the file is cut");
      return view.getUint32(at, isLittle);
    };
    const textAt = (entry: number, decoder: TextDecoder) => {
      const start = word(entry + 4);
      const end = start + word(entry);
      if (end > bytes.length) throw new TypeError("Cannot read translations: the file is cut");
      return decoder.decode(bytes.subarray(start, end));
    };
    const [count, messages, translations] = [word(8), word(12), word(16)];
    let decoder = new TextDecoder();
    // Messages are sorted, so that the empty one is the first.
    for (let i = 0; i < count; i++) {
      const message = textAt(messages + i * ENTRY_SIZE, decoder);
      const translation = textAt(translations + i * ENTRY_SIZE, decoder);
      if (message === "") {
        decoder = new TextDecoder(CHARSET_REGEXP.exec(translation)?.[1] ?? "utf-8");
        this.#rule = parseRule(PLURAL_REGEXP.exec(translation)?.[1]) ?? this.#rule;
      } else this.#forms.set(message.split("\0", 1)[0]!, translation.split("\0"));
    }
  }

  /** Returns the translation of a message, or the message. */
  gettext(message: string): string {
    const forms = this.#forms.get(message);
    return (forms === undefined || forms.length === 1 ? forms?.[0] : this.#form(forms, 1)) ||
      message;
  }

  /** Returns the translation of a message for a count, or that of the two that fits in English. */
  ngettext(message: string, plural: string, count: number): string {
    const forms = this.#forms.get(message);
    return forms && this.#form(forms, count) || (count === 1 ? message : plural);
  }

  #form(forms: readonly string[], count: number): string | undefined {
    return forms[Math.trunc(this.#rule(count))];
  }
}

function parseRule(text: string | undefined): PluralRule | null {
  if (text === undefined) return null;
  if (!RULE_REGEXP.test(text)) {
    throw new TypeError(`Cannot read translations: ${JSON.stringify(text)} is no plural rule`);
  }
  return new Function("n", `return Number(${text});`) as PluralRule;
}
