/**
 * Translations, and dates, lists and numbers as a language writes them.
 *
 * @module
 */
// What is supported is kept for the whole program: it is loaded when that starts, and asked
// for by each request.
import { join } from "node:path";
import { describeError } from "../ioloop/errors.ts";
import { genLog } from "../ioloop/mod.ts";
import { type CSVTranslations, readTranslations } from "./_csv_translations.ts";
import { Catalog } from "./_gettext_catalog.ts";
import { LOCALE_NAMES, type LocaleName } from "./locale_names.ts";

export { type CSVTranslations, LOCALE_NAMES, type LocaleName };

/** Is what a {@linkcode GettextLocale} takes its translations from. */
export interface GettextCatalog {
  /** Returns the translation of a message, or the message. */
  gettext(message: string): string;
  /** Returns the translation of a message for a count. */
  ngettext(message: string, plural: string, count: number): string;
}

/** Options of {@linkcode Locale.formatDate}. */
export interface FormatDateOptions {
  /**
   * How many minutes west of Greenwich the reader is.
   *
   * @default {0}
   */
  gmtOffset?: number;
  /**
   * Whether a date of today is said as the time since then.
   *
   * @default {true}
   */
  relative?: boolean;
  /**
   * Whether the time of day is left out of earlier dates.
   *
   * @default {false}
   */
  shorter?: boolean;
  /**
   * Whether day, month, year and time are given in any case.
   *
   * @default {false}
   */
  fullFormat?: boolean;
}

/** Options of {@linkcode Locale.formatDay}. */
export interface FormatDayOptions {
  /**
   * How many minutes west of Greenwich the reader is.
   *
   * @default {0}
   */
  gmtOffset?: number;
  /**
   * Whether the day of the week is given.
   *
   * @default {true}
   */
  dow?: boolean;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const CONTEXT_END = "\x04"; // between a context and its message in a catalog

const CODE_REGEXP = /^[a-z]+(?:_[A-Z]+)?$/;
const RTL_REGEXP = /^(?:fa|ar|he)(?:_|$)/;
const PLACEHOLDER_REGEXP = /%(?:\((\w+)\)([ds])|%)/g;

const MONTHS = [
  ...["January", "February", "March", "April", "May", "June", "July", "August"],
  ...["September", "October", "November", "December"],
];
const WEEKDAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

let defaultCode = "en_US";
let translations: ReadonlyMap<string, CSVTranslations | GettextCatalog> = new Map();
const locales = new Map<string, Locale>(); // those that were asked for

/**
 * Returns the supported locale that fits the first of these codes which one fits, else the
 * default one. `pt-br`, `pt_BR` and, if there is no Brazilian one, `pt` mean the same.
 *
 * @example The default
 * ```ts
 * import { getLocale } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(getLocale("tlh", "xx-YY").code, "en_US");
 * ```
 */
export function getLocale(...codes: readonly (string | null | undefined)[]): Locale {
  return Locale.getClosest(...codes);
}

/** Sets the locale of readers whose own is not supported; it is supported in any case. */
export function setDefaultLocale(code: string): void {
  defaultCode = code;
}

/** Returns the codes of the supported locales. */
export function getSupportedLocales(): ReadonlySet<string> {
  return new Set([...translations.keys(), defaultCode]);
}

/**
 * Loads translations from the files `xx_YY.csv` of a directory, in place of those that were
 * loaded before. A row is a message, its translation and, if it has two forms, `singular` or
 * `plural`. Files of another name, and rows with another word, are logged and left out.
 *
 * @param encoding the encoding of the files; by default their first bytes tell UTF-16, else
 *   they are UTF-8.
 * @throws {TypeError} when a file is in another encoding or no CSV.
 *
 * @example Load
 * ```ts
 * import { getLocale, loadTranslations } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * const directory = await Deno.makeTempDir();
 * await Deno.writeTextFile(`${directory}/es_LA.csv`, '"Sign out","Cerrar sesión"\n');
 * await loadTranslations(directory);
 * assertEquals(getLocale("es-la").translate("Sign out"), "Cerrar sesión");
 * await Deno.remove(directory, { recursive: true });
 * ```
 */
export async function loadTranslations(directory: string, encoding?: string): Promise<void> {
  const loaded = new Map<string, CSVTranslations>();
  for (const { name } of await entriesOf(directory)) {
    if (!name.endsWith(".csv")) continue;
    const code = name.slice(0, -".csv".length);
    const path = join(directory, name);
    if (CODE_REGEXP.test(code)) loaded.set(code, await readTranslations(path, encoding));
    else genLog.error("Unrecognized locale {code} (path: {path})", { code, path });
  }
  useTranslations(loaded);
}

/**
 * Loads translations from the files `xx_YY/LC_MESSAGES/domain.mo` of a directory, in place of
 * those that were loaded before. Languages whose file is missing or wrong are logged and left
 * out.
 */
export async function loadGettextTranslations(directory: string, domain: string): Promise<void> {
  const loaded = new Map<string, GettextCatalog>();
  for (const { name: code, isFile } of await entriesOf(directory)) {
    if (isFile || code.startsWith(".")) continue;
    const path = join(directory, code, "LC_MESSAGES", `${domain}.mo`);
    try {
      loaded.set(code, new Catalog(await Deno.readFile(path)));
    } catch (error) {
      genLog.error("Cannot load translation for {code}: {error}", {
        code,
        error: describeError(error),
      });
    }
  }
  useTranslations(loaded);
}

async function entriesOf(directory: string): Promise<Deno.DirEntry[]> {
  const entries = await Array.fromAsync(Deno.readDir(directory));
  return entries.sort((a, b) => a.name < b.name ? -1 : 1);
}

function useTranslations(loaded: ReadonlyMap<string, CSVTranslations | GettextCatalog>): void {
  translations = loaded;
  locales.clear();
  genLog.debug("Supported locales: {codes}", { codes: [...getSupportedLocales()].sort() });
}

/**
 * Fills the placeholders of a message, `%(name)s` with text and `%(name)d` with a whole number;
 * `%%` becomes `%`.
 *
 * @throws {Error} when a value is missing.
 *
 * @example Fill in
 * ```ts
 * import { formatMessage } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatMessage("%(who)s has %(n)d", { who: "Ada", n: 3 }), "Ada has 3");
 * ```
 */
export function formatMessage(text: string, values: Readonly<Record<string, unknown>>): string {
  return text.replace(PLACEHOLDER_REGEXP, (_, name: string | undefined, kind: string) => {
    if (name === undefined) return "%";
    if (!Object.hasOwn(values, name)) {
      throw new Error(`Cannot format ${JSON.stringify(text)}: no value for ${name}`);
    }
    return String(kind === "d" ? Math.trunc(Number(values[name])) : values[name]);
  });
}

/** A language, maybe as one country speaks it. Ask for one with {@linkcode getLocale}. */
export abstract class Locale {
  /** The code, `en_US`. */
  readonly code: string;
  /** The name of the language in itself, or `Unknown`. */
  readonly name: string;
  /** Whether it is written from right to left. */
  readonly rtl: boolean;

  /** Takes the code. */
  constructor(code: string) {
    this.code = code;
    this.name = Object.hasOwn(LOCALE_NAMES, code) ? LOCALE_NAMES[code]!.name : "Unknown";
    this.rtl = RTL_REGEXP.test(code);
  }

  /** Returns the supported locale that fits best; see {@linkcode getLocale}. */
  static getClosest(...codes: readonly (string | null | undefined)[]): Locale {
    for (const code of codes) {
      const [language = "", country, ...more] = (code ?? "").split(/[-_]/);
      if (language === "" || more.length > 0) continue;
      const base = language.toLowerCase();
      const full = country === undefined ? language : `${base}_${country.toUpperCase()}`;
      const found = [full, base].find(isSupported);
      if (found !== undefined) return Locale.get(found);
    }
    return Locale.get(defaultCode);
  }

  /**
   * Returns the locale of exactly this code.
   *
   * @throws {Error} when it is not supported.
   */
  static get(code: string): Locale {
    const known = locales.get(code);
    if (known !== undefined) return known;
    if (!isSupported(code)) throw new Error(`Cannot get locale ${code}: it is not supported`);
    const loaded = translations.get(code);
    const locale = loaded !== undefined && "gettext" in loaded
      ? new GettextLocale(code, loaded)
      : new CSVLocale(code, loaded);
    locales.set(code, locale);
    return locale;
  }

  /**
   * Returns the translation of a message, which is itself where there is none. With a plural
   * form it depends on the count which of the two is translated.
   *
   * @throws {TypeError} when there is a plural form but no count.
   */
  abstract translate(message: string, pluralMessage?: string | null, count?: number | null): string;

  /**
   * Returns the translation that a message has in a context, `"sports"` for `"club"`; else the
   * one that it has in none.
   *
   * @throws {TypeError} when there is a plural form but no count.
   */
  abstract pgettext(
    context: string,
    message: string,
    pluralMessage?: string | null,
    count?: number | null,
  ): string;

  /**
   * Returns a date, or a time stamp in milliseconds, in words: the time since then if it was
   * today, `yesterday at 6:35 pm`, `April 28, 2013 at 6:35 pm` and what is between. A date that
   * lies up to a minute ahead counts as now, clocks being what they are.
   */
  formatDate(date: Date | number, options: FormatDateOptions = {}): string {
    const { gmtOffset = 0, relative = true, shorter = false, fullFormat = false } = options;
    const now = Date.now();
    const ahead = Number(date) - now;
    const then = relative && ahead > 0 && ahead < MINUTE ? now : Number(date);
    const local = new Date(then - gmtOffset * MINUTE);
    const isFull = fullFormat || then > now;
    const since = isFull ? "" : this.#since(now - then, relative);
    if (since !== "") return since;
    const yesterday = new Date(now - gmtOffset * MINUTE - DAY);
    const isYesterday = relative && local.getUTCDate() === yesterday.getUTCDate();
    const days = isFull ? Infinity : Math.floor((now - then) / DAY);
    const format = formatFor(days, isYesterday, shorter);
    return formatMessage(this.translate(format), {
      month_name: this.#month(local),
      weekday: this.#weekday(local),
      day: local.getUTCDate(),
      year: local.getUTCFullYear(),
      time: this.#time(local),
    });
  }

  /** Returns a day in words, `Sunday, April 28`. */
  formatDay(date: Date | number, { gmtOffset = 0, dow = true }: FormatDayOptions = {}): string {
    const local = new Date(Number(date) - gmtOffset * MINUTE);
    const format = dow ? "%(weekday)s, %(month_name)s %(day)s" : "%(month_name)s %(day)s";
    return formatMessage(this.translate(format), {
      weekday: this.#weekday(local),
      month_name: this.#month(local),
      day: local.getUTCDate(),
    });
  }

  /** Returns a list in words, `A, B and C`. */
  list(parts: readonly string[]): string {
    if (parts.length < 2) return parts[0] ?? "";
    const comma = this.code.startsWith("fa") ? " \u0648 " : ", ";
    return formatMessage(this.translate("%(commas)s and %(last)s"), {
      commas: parts.slice(0, -1).join(comma),
      last: parts.at(-1),
    });
  }

  /** Returns a whole number, in English with commas, `1,000,000`. */
  friendlyNumber(value: number): string {
    const text = String(value);
    const isEnglish = this.code === "en" || this.code === "en_US";
    return isEnglish ? text.replace(/\B(?=(?:\d{3})+$)/g, ",") : text;
  }

  // What goes by today; empty for what is longer ago.
  #since(age: number, relative: boolean): string {
    if (!relative || age >= DAY) return "";
    const seconds = Math.floor(age / 1000);
    if (seconds < 50) {
      return this.#counted("1 second ago", "%(seconds)d seconds ago", { seconds });
    }
    if (age < 50 * MINUTE) {
      const minutes = Math.round(seconds / 60);
      return this.#counted("1 minute ago", "%(minutes)d minutes ago", { minutes });
    }
    const hours = Math.round(seconds / 3600);
    return this.#counted("1 hour ago", "%(hours)d hours ago", { hours });
  }

  #counted(message: string, plural: string, values: Readonly<Record<string, number>>): string {
    return formatMessage(this.translate(message, plural, Object.values(values)[0]!), values);
  }

  #time(local: Date): string {
    const hours = local.getUTCHours();
    const minutes = String(local.getUTCMinutes()).padStart(2, "0");
    const short = `${hours % 12 || 12}:${minutes}`;
    if (this.code === "zh_CN") return `${hours < 12 ? "\u4e0a\u5348" : "\u4e0b\u5348"}${short}`;
    if (this.code !== "en" && this.code !== "en_US") return `${hours}:${minutes}`;
    return `${short} ${hours < 12 ? "am" : "pm"}`;
  }

  #month(local: Date): string {
    return this.translate(MONTHS[local.getUTCMonth()]!);
  }

  #weekday(local: Date): string {
    return this.translate(WEEKDAYS[local.getUTCDay()]!);
  }
}

/** A locale whose translations come from a CSV file, or that has none. */
export class CSVLocale extends Locale {
  readonly #translations: CSVTranslations | undefined;

  /** Takes the code, and the translations. */
  constructor(code: string, translations?: CSVTranslations) {
    super(code);
    this.#translations = translations;
  }

  /** Returns the translation of a message; see {@linkcode Locale.translate}. */
  override translate(
    message: string,
    pluralMessage?: string | null,
    count?: number | null,
  ): string {
    let kind: keyof CSVTranslations = "unknown";
    let text = message;
    if (isPlural(pluralMessage, count)) {
      kind = count === 1 ? "singular" : "plural";
      if (count !== 1) text = pluralMessage!;
    }
    return this.#translations?.[kind].get(text) ?? text;
  }

  /** Returns the translation of a message in no context, with a warning: there are none. */
  override pgettext(
    _context: string,
    message: string,
    pluralMessage?: string | null,
    count?: number | null,
  ): string {
    if (this.#translations !== undefined) genLog.warn("pgettext is not supported by CSVLocale");
    return this.translate(message, pluralMessage, count);
  }
}

/** A locale whose translations come from a gettext catalog. */
export class GettextLocale extends Locale {
  readonly #catalog: GettextCatalog;

  /** Takes the code, and the translations. */
  constructor(code: string, catalog: GettextCatalog) {
    super(code);
    this.#catalog = catalog;
  }

  /** Returns the translation of a message; see {@linkcode Locale.translate}. */
  override translate(
    message: string,
    pluralMessage?: string | null,
    count?: number | null,
  ): string {
    return isPlural(pluralMessage, count)
      ? this.#catalog.ngettext(message, pluralMessage!, count!)
      : this.#catalog.gettext(message);
  }

  /** Returns the translation of a message in a context; see {@linkcode Locale.pgettext}. */
  override pgettext(
    context: string,
    message: string,
    pluralMessage?: string | null,
    count?: number | null,
  ): string {
    const prefix = context + CONTEXT_END;
    const found = isPlural(pluralMessage, count)
      ? this.#catalog.ngettext(prefix + message, prefix + pluralMessage, count!)
      : this.#catalog.gettext(prefix + message);
    return found.includes(CONTEXT_END) ? this.translate(message, pluralMessage, count) : found;
  }
}

function isSupported(code: string): boolean {
  return code === defaultCode || translations.has(code);
}

function isPlural(pluralMessage?: string | null, count?: number | null): boolean {
  if (pluralMessage === undefined || pluralMessage === null) return false;
  if (count === undefined || count === null) {
    throw new TypeError(`Cannot translate ${JSON.stringify(pluralMessage)}: expected a count`);
  }
  return true;
}

// Up to eleven months: a month without a year could be that of last year.
function formatFor(days: number, isYesterday: boolean, shorter: boolean): string {
  if (days === 0) return "%(time)s";
  if (days === 1 && isYesterday) return shorter ? "yesterday" : "yesterday at %(time)s";
  if (days < 5) return shorter ? "%(weekday)s" : "%(weekday)s at %(time)s";
  const time = shorter ? "" : " at %(time)s";
  return days < 334 ? `%(month_name)s %(day)s${time}` : `%(month_name)s %(day)s, %(year)s${time}`;
}
