import { trimBlanks } from "./_blanks.ts";
import { normalizeFieldName } from "./_field_name.ts";
import { HTTPInputError } from "./errors.ts";

/** What {@linkcode HTTPHeaders} can be made from. */
export type HTTPHeadersInit =
  | HTTPHeaders
  | Headers
  | Readonly<Record<string, string | readonly string[]>>
  | Iterable<readonly [name: string, value: string]>;

// RFC 9110 5.5: a field value holds no control character but tab.
const CONTROL_REGEXP = /[^\t\x20-\x7e\x80-\uffff]/;

// Field lines in the order they came, names in normal form, in two arrays that have
// always the same length. A message has few fields: looking through ten names takes
// less than a hash table of them costs to make.
//
// Fields of a received head stay one string, `#block`, until somebody asks.

/**
 * The header fields of a message: insertion-ordered, case-insensitive, several values of a name kept apart.
 *
 * Names are stored and sent in `Http-Header-Case`. As a mapping (`get`, `values`, `entries`, iteration,
 * `size`) it has one entry for each name, with its values joined by `,`; {@linkcode getAll} and
 * {@linkcode getList} give them apart.
 *
 * @example Several values
 * ```ts
 * import { HTTPHeaders } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * const headers = new HTTPHeaders({ "content-type": "text/html" });
 * headers.add("Set-Cookie", "a=b");
 * headers.add("set-cookie", "c=d");
 * assertEquals(headers.get("CONTENT-TYPE"), "text/html");
 * assertEquals(headers.getList("Set-Cookie"), ["a=b", "c=d"]);
 * assertEquals([...headers.keys()], ["Content-Type", "Set-Cookie"]);
 * ```
 */
export class HTTPHeaders implements Iterable<[string, string]> {
  #names: string[] = [];
  #values: string[] = [];
  #lowerBlock = ""; // `#block` in lower case behind an LF, once a look-up needs it
  #block = ""; // field lines not taken apart yet; while it holds any, the arrays are empty

  /**
   * Makes a set of fields, empty or filled by {@linkcode update}.
   *
   * @throws {TypeError} if a name or value in `init` cannot be sent.
   */
  constructor(init?: HTTPHeadersInit) {
    if (init !== undefined) this.update(init);
  }

  /**
   * Reads field lines that end in CRLF or LF.
   *
   * @throws {HTTPInputError} as {@linkcode parseLine} does.
   */
  static parse(text: string): HTTPHeaders {
    const headers = new HTTPHeaders();
    for (const line of text.split("\n")) headers.parseLine(line);
    return headers;
  }

  /**
   * Takes the field lines of a head that {@linkcode RequestParser} has checked, unread.
   *
   * @ignore for `http/` itself
   */
  static fromBlock(block: string): HTTPHeaders {
    const headers = new HTTPHeaders();
    headers.#block = block;
    return headers;
  }

  /** Number of different names. */
  get size(): number {
    this.#open();
    return new Set(this.#names).size;
  }

  /**
   * Adds a value to those that the name has.
   *
   * @throws {HTTPInputError} if `name` is not a token or `value` has a control character other than tab.
   */
  add(name: string, value: string): void {
    const key = normalizeFieldName(name);
    if (key === null) {
      throw new HTTPInputError(
        `Cannot add header field: ${quote(name)} is not a field name`,
      );
    }
    if (CONTROL_REGEXP.test(value)) {
      throw new HTTPInputError(
        `Cannot add header field ${key}: a control character is in its value`,
      );
    }
    this.#open();
    this.#names.push(key);
    this.#values.push(value);
  }

  /**
   * Replaces all values of a name by one, in the place of the first.
   *
   * @throws {TypeError} if `name` is not a token or `value` has a control character other than tab.
   */
  set(name: string, value: string): void {
    const key = checkedName(name);
    checkValue(key, value);
    this.#open();
    const first = this.#names.indexOf(key);
    if (first === -1) {
      this.#names.push(key);
      this.#values.push(value);
    } else {
      this.#values[first] = value;
      this.#deleteFrom(first + 1, key);
    }
  }

  /** Gives the values of a name joined by `,`, or `missing` if it has none. */
  get(name: string, missing: string): string;
  /** Gives the values of a name joined by `,`, or `missing` if it has none. */
  get(name: string, missing?: string | null): string | null;
  get(name: string, missing: string | null = null): string | null {
    const first = this.#find(name);
    if (first === -1) return missing;
    const key = this.#names[first]!;
    return this.#names.indexOf(key, first + 1) === -1
      ? this.#values[first]!
      : this.#list(key).join(",");
  }

  /** Gives the values of a name in the order they were added; none for a name that is not there. */
  getList(name: string): string[] {
    const first = this.#find(name);
    return first === -1 ? [] : this.#list(this.#names[first]!);
  }

  /** Gives each name and value, a pair for each value, in the order they were added. */
  *getAll(): Generator<[string, string], void, unknown> {
    this.#open();
    for (let at = 0; at < this.#names.length; at++) {
      yield [this.#names[at]!, this.#values[at]!];
    }
  }

  /** Whether the name has a value. */
  has(name: string): boolean {
    return this.#find(name) !== -1;
  }

  /** Takes all values of a name away; `false` if it had none. */
  delete(name: string): boolean {
    const first = this.#find(name);
    if (first === -1) return false;
    this.#deleteFrom(first, this.#names[first]!);
    return true;
  }

  /** Gives the different names, in the order they were first added. */
  keys(): IterableIterator<string> {
    this.#open();
    return new Set(this.#names).values();
  }

  /** Gives the joined values of each name, in the order of {@linkcode keys}. */
  *values(): Generator<string, void, unknown> {
    for (const [, value] of this.entries()) yield value;
  }

  /** Gives each name with its joined values, in the order of {@linkcode keys}. */
  *entries(): Generator<[string, string], void, unknown> {
    this.#open();
    const lists = new Map<string, string[]>();
    for (const [name, value] of this.getAll()) {
      const list = lists.get(name);
      if (list === undefined) lists.set(name, [value]);
      else list.push(value);
    }
    for (const [name, list] of lists) yield [name, list.join(",")];
  }

  /** The same as {@linkcode entries}. */
  [Symbol.iterator](): Generator<[string, string], void, unknown> {
    return this.entries();
  }

  /**
   * Replaces the values of every name in `init` by those it has there.
   *
   * @throws {TypeError} if a name or value cannot be sent; then nothing was changed.
   */
  update(init: HTTPHeadersInit): void {
    const names: string[] = [];
    const values: string[] = [];
    for (const [name, value] of pairsOf(init)) {
      const key = checkedName(name);
      checkValue(key, value);
      names.push(key);
      values.push(value);
    }
    this.#open();
    if (this.#names.length > 0) {
      for (const key of new Set(names)) this.#deleteFrom(0, key);
    }
    this.#names = this.#names.concat(names);
    this.#values = this.#values.concat(values);
  }

  /**
   * Gives the joined values of a name, after setting it to `value` if it has none.
   *
   * @throws {TypeError} as {@linkcode set} does.
   */
  setDefault(name: string, value: string): string {
    const present = this.get(name);
    if (present !== null) return present;
    this.set(name, value);
    return value;
  }

  /** Takes a name away and gives its joined values, or `missing` if it has none. */
  pop(name: string, missing: string): string;
  /** Takes a name away and gives its joined values, or `missing` if it has none. */
  pop(name: string, missing?: string | null): string | null;
  pop(name: string, missing: string | null = null): string | null {
    const value = this.get(name, missing);
    this.delete(name);
    return value;
  }

  /**
   * Adds the field on one line, with or without CRLF or LF at its end.
   *
   * A line that begins with a blank or tab goes on with the value of the field before it, after
   * one blank. An empty line adds nothing.
   *
   * @throws {HTTPInputError} if the first line is such a continuation, or if the line has no colon,
   * no field name or a control character in its value.
   */
  parseLine(line: string): void {
    const text = line.replace(/\r?\n$|\r$/, "");
    if (text === "") return;
    if (text.startsWith(" ") || text.startsWith("\t")) return this.#fold(text);
    const colon = text.indexOf(":");
    if (colon === -1) {
      throw new HTTPInputError("Cannot read header line: it has no colon");
    }
    this.add(text.slice(0, colon), trimBlanks(text, colon + 1));
  }

  /** Makes an independent copy. */
  copy(): HTTPHeaders {
    const copy = new HTTPHeaders();
    copy.#names = this.#names.slice();
    copy.#values = this.#values.slice();
    copy.#block = this.#block;
    return copy;
  }

  /** Gives a line `Name: value` for each value, each with LF; {@linkcode parse} reads it. */
  toString(): string {
    return this.toBlock().replaceAll("\r\n", "\n");
  }

  /**
   * Gives the field lines as they are sent, each with CRLF.
   *
   * @ignore for `http/` itself
   */
  toBlock(): string {
    this.#open();
    let block = "";
    for (let at = 0; at < this.#names.length; at++) {
      block += `${this.#names[at]}: ${this.#values[at]}\r\n`;
    }
    return block;
  }

  /**
   * Makes Fetch API headers of the same names and values.
   *
   * @throws {TypeError} if a value has characters beyond latin-1.
   */
  toFetchHeaders(): Headers {
    return new Headers([...this.getAll()]);
  }

  /** Prints the fields, a line for each. */
  [Symbol.for("Deno.customInspect")](): string {
    return `HTTPHeaders {\n${this.toString().replace(/^/gm, "  ").trimEnd()}\n}`;
  }

  /** Takes `#block` apart; every method that reads or changes fields begins here. */
  #open(): void {
    if (this.#block === "") return;
    const block = this.#block;
    this.#block = "";
    this.#lowerBlock = "";
    for (let start = 0; start < block.length;) {
      const end = block.indexOf("\r\n", start);
      const colon = block.indexOf(":", start);
      // The parser let only tokens pass as names.
      this.#names.push(normalizeFieldName(block.slice(start, colon))!);
      this.#values.push(trimBlanks(block, colon + 1, end));
      start = end + 2;
    }
  }

  #find(name: string): number {
    // Most look-ups in a received head are for a field that is not there: a search
    // through the whole block, 0.1 us, answers those without taking it apart, 1 us.
    if (this.#block !== "") {
      this.#lowerBlock ||= `\n${this.#block.toLowerCase()}`;
      if (!this.#lowerBlock.includes(`\n${name.toLowerCase()}:`)) return -1;
      this.#open();
    }
    const key = normalizeFieldName(name);
    return key === null ? -1 : this.#names.indexOf(key);
  }

  #list(key: string): string[] {
    return this.#values.filter((_, at) => this.#names[at] === key);
  }

  #deleteFrom(start: number, key: string): void {
    if (this.#names.indexOf(key, start) === -1) return;
    const stays = (_: string, at: number) => at < start || this.#names[at] !== key;
    this.#values = this.#values.filter(stays);
    this.#names = this.#names.filter(stays);
  }

  #fold(line: string): void {
    this.#open();
    const last = this.#values.length - 1;
    if (last === -1) {
      throw new HTTPInputError(
        "Cannot read header line: the first one is a continuation",
      );
    }
    if (CONTROL_REGEXP.test(line)) {
      throw new HTTPInputError(
        "Cannot read header line: a control character is in the continuation",
      );
    }
    this.#values[last] += ` ${trimBlanks(line)}`;
  }
}

function* pairsOf(
  init: HTTPHeadersInit,
): Generator<readonly [string, string], void, unknown> {
  if (init instanceof HTTPHeaders) yield* init.getAll();
  else if (Symbol.iterator in init) {
    yield* init as Iterable<readonly [string, string]>;
  } else {
    for (const [name, value] of Object.entries(init)) {
      if (typeof value === "string") yield [name, value];
      else for (const one of value) yield [name, one];
    }
  }
}

function checkedName(name: string): string {
  const key = normalizeFieldName(name);
  if (key === null) {
    throw new TypeError(
      `Cannot set header field: ${quote(name)} is not a field name`,
    );
  }
  return key;
}

function checkValue(key: string, value: string): void {
  if (CONTROL_REGEXP.test(value)) {
    throw new TypeError(
      `Cannot set header field ${key}: a control character is in its value`,
    );
  }
}

function quote(name: string): string {
  return JSON.stringify(name.length > 40 ? `${name.slice(0, 40)}...` : name);
}
