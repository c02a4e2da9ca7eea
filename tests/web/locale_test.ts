import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { genLog } from "../../ioloop/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import {
  CSVLocale,
  formatMessage,
  getLocale,
  getSupportedLocales,
  GettextLocale,
  loadGettextTranslations,
  loadTranslations,
  Locale,
  LOCALE_NAMES,
  setDefaultLocale,
} from "../../web/locale.ts";

/** Runs `body` with a directory that holds these files, and forgets what it loaded. */
async function withFiles(
  files: Record<string, string | Uint8Array>,
  body: (directory: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  const empty = await Deno.makeTempDir();
  try {
    for (const [name, data] of Object.entries(files)) {
      const path = `${directory}/${name}`;
      await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      if (typeof data === "string") await Deno.writeTextFile(path, data);
      else await Deno.writeFile(path, data);
    }
    await body(directory);
  } finally {
    setDefaultLocale("en_US");
    await loadTranslations(empty);
    await Deno.remove(directory, { recursive: true });
    await Deno.remove(empty);
  }
}

/** Encodes text as UTF-16 with a byte order mark. */
function utf16(text: string, isLittle: boolean): Uint8Array {
  const view = new DataView(new ArrayBuffer(2 + text.length * 2));
  view.setUint16(0, 0xfeff, isLittle);
  for (let i = 0; i < text.length; i++) {
    view.setUint16(2 + i * 2, text.charCodeAt(i), isLittle);
  }
  return new Uint8Array(view.buffer);
}

/** Makes a catalog as msgfmt does; messages in the order of their bytes. */
function catalog(messages: Record<string, string>, isLittle = true): Uint8Array {
  const encoder = new TextEncoder();
  const pairs = Object.entries(messages).sort(([a], [b]) => a < b ? -1 : 1)
    .map(([message, translation]) => [encoder.encode(message), encoder.encode(translation)]);
  const tables = 28;
  const size = tables + pairs.length * 16 +
    pairs.flat().reduce((sum, { length }) => sum + length + 1, 0);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  [0x950412de, 0, pairs.length, tables, tables + pairs.length * 8, 0, size].forEach((word, i) =>
    view.setUint32(i * 4, word, isLittle)
  );
  let at = tables + pairs.length * 16;
  for (const column of [0, 1]) {
    pairs.forEach((pair, i) => {
      const text = pair[column]!;
      const entry = tables + (column * pairs.length + i) * 8;
      view.setUint32(entry, text.length, isLittle);
      view.setUint32(entry + 4, at, isLittle);
      bytes.set(text, at);
      at += text.length + 1;
    });
  }
  return bytes;
}

const FRENCH = {
  "": "Content-Type: text/plain; charset=UTF-8\n" +
    "Plural-Forms: nplurals=2; plural=(n > 1);\n",
  school: "école",
  "law\x04right": "le droit",
  "good\x04right": "le bien",
  "organization\x04club\0organization\x04clubs": "le club\0les clubs",
  "stick\x04club\0stick\x04clubs": "le bâton\0les bâtons",
  "%(n)d apple\0%(n)d apples": "%(n)d pomme\0%(n)d pommes",
};

Deno.test("loadTranslations() reads a CSV file for each locale", () =>
  withFiles({
    "fr_FR.csv": "school,école\n" +
      '"%(name)s liked this","A %(name)s, cela plaît","singular"\n' +
      '"%(name)s like this", "À %(name)s, cela plaît" ,"plural"\n' +
      '"say ""hi"", all","dis ""salut""",\n\nlonely\n constructor , constructeur\n',
    "pt.csv": "school,escola\n",
    "notes.txt": "school,notes\n",
  }, async (directory) => {
    await loadTranslations(directory);
    const french = Locale.get("fr_FR");
    assert(french instanceof CSVLocale);
    assertEquals([french.code, french.name, french.rtl], ["fr_FR", "Français", false]);
    assertEquals(french.translate("school"), "école");
    assertEquals(
      french.translate("%(name)s liked this", "%(name)s like this", 1),
      "A %(name)s, cela plaît",
    );
    assertEquals(
      french.translate("%(name)s liked this", "%(name)s like this", 0),
      "À %(name)s, cela plaît",
    );
    assertEquals(french.translate('say "hi", all'), 'dis "salut"');
    assertEquals(french.translate("constructor"), "constructeur");
    assertEquals(french.translate("toString"), "toString");
    assertEquals(french.translate("lonely"), "lonely");
    assertEquals(french.translate("one", "many", 2), "many");
    assertEquals([...getSupportedLocales()].sort(), ["en_US", "fr_FR", "pt"]);
  }));

Deno.test("loadTranslations() reads UTF-8 with a mark, and UTF-16", () =>
  withFiles({
    "fr_FR.csv": "\ufeffschool,école\n",
    "de_DE.csv": utf16("school,Schüler\r\n", true),
    "es_ES.csv": utf16("school,niñez\n", false),
  }, async (directory) => {
    await loadTranslations(directory);
    assertEquals(
      ["fr_FR", "de_DE", "es_ES"].map((code) => Locale.get(code).translate("school")),
      ["école", "Schüler", "niñez"],
    );
  }));

Deno.test("loadTranslations() takes an encoding, and refuses what is in another one", () =>
  withFiles(
    { "fr_FR.csv": Uint8Array.from("school,\xe9cole", (char) => char.charCodeAt(0)) },
    async (directory) => {
      await loadTranslations(directory, "latin1");
      assertEquals(Locale.get("fr_FR").translate("school"), "école");
      await assertRejects(() => loadTranslations(directory), TypeError, "fr_FR.csv");
      assertEquals(Locale.get("fr_FR").translate("school"), "école");
    },
  ));

Deno.test("loadTranslations() logs names and rows that it does not know, and leaves them out", () =>
  withFiles({
    "fr_FR.csv": "a,A\nb,B,dual\nc,C\n",
    "FRENCH.csv": "a,b\n",
  }, async (directory) => {
    await expectLog(genLog, /Unrecognized locale "?FRENCH/, async () => {
      await expectLog(
        genLog,
        /Unrecognized plural indicator "?dual"? in .*fr_FR\.csv.* line 2/,
        () => loadTranslations(directory),
      );
    });
    const french = Locale.get("fr_FR");
    assertEquals(["a", "b", "c"].map((text) => french.translate(text)), ["A", "b", "C"]);
    assertEquals([...getSupportedLocales()].sort(), ["en_US", "fr_FR"]);
  }));

Deno.test("loadTranslations() again forgets what was loaded before", () =>
  withFiles({ "a/fr.csv": "x,un\n", "b/fr.csv": "x,deux\n", "c/de.csv": "" }, async (directory) => {
    await loadTranslations(`${directory}/a`);
    assertEquals(Locale.get("fr").translate("x"), "un");
    await loadTranslations(`${directory}/b`);
    assertEquals(Locale.get("fr").translate("x"), "deux");
    await loadTranslations(`${directory}/c`);
    assertThrows(() => Locale.get("fr"), Error, "Cannot get locale fr");
    await assertRejects(() => loadTranslations(`${directory}/none`), Deno.errors.NotFound);
  }));

Deno.test("loadGettextTranslations() reads a catalog for each language", () =>
  withFiles({
    "fr_FR/LC_MESSAGES/test.mo": catalog(FRENCH),
    "pl/LC_MESSAGES/test.mo": catalog({
      "":
        "Plural-Forms: nplurals=3; plural=(n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);\n",
      "file\0files": "plik\0pliki\0plików",
    }, false),
    "latin/LC_MESSAGES/test.mo": catalog({
      "": "Content-Type: text/plain; charset=latin1\n",
      a: "é",
    }),
    ".hidden/x": "",
    "README": "",
  }, async (directory) => {
    await loadGettextTranslations(directory, "test");
    const french = Locale.get("fr_FR");
    assert(french instanceof GettextLocale);
    assertEquals(french.translate("school"), "école");
    assertEquals(french.translate("nothing"), "nothing");
    const apples = (n: number) => french.translate("%(n)d apple", "%(n)d apples", n);
    assertEquals([0, 1, 2].map(apples), ["%(n)d pomme", "%(n)d pomme", "%(n)d pommes"]);
    assertEquals([1, 2].map((n) => french.translate("one", "many", n)), ["one", "many"]);
    assertEquals(french.translate("%(n)d apple"), "%(n)d pomme");
    const files = (n: number) => Locale.get("pl").translate("file", "files", n);
    assertEquals([1, 2, 5, 12, 22].map(files), ["plik", "pliki", "plików", "plików", "pliki"]);
    assertEquals(Locale.get("latin").translate("a"), "\u00c3\u00a9"); // as its header says
    assertEquals([...getSupportedLocales()].sort(), ["en_US", "fr_FR", "latin", "pl"]);
  }));

Deno.test("GettextLocale.pgettext() tells meanings of a message apart", () =>
  withFiles({ "fr_FR/LC_MESSAGES/test.mo": catalog(FRENCH) }, async (directory) => {
    await loadGettextTranslations(directory, "test");
    const french = Locale.get("fr_FR");
    assertEquals(french.pgettext("law", "right"), "le droit");
    assertEquals(french.pgettext("good", "right"), "le bien");
    assertEquals(french.pgettext("organization", "club", "clubs", 1), "le club");
    assertEquals(french.pgettext("organization", "club", "clubs", 2), "les clubs");
    assertEquals(french.pgettext("stick", "club", "clubs", 1), "le bâton");
    assertEquals(french.pgettext("stick", "club", "clubs", 2), "les bâtons");
    assertEquals(french.pgettext("wrong", "school"), "école");
    assertEquals(french.pgettext("wrong", "club", "clubs", 2), "clubs");
    assertThrows(() => french.pgettext("stick", "club", "clubs"), TypeError, "expected a count");
  }));

Deno.test("loadGettextTranslations() reads what msgfmt makes", {
  ignore: !await hasProgram("msgfmt"),
}, () =>
  withFiles({
    "de.po": 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n' +
      '"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n\n' +
      'msgid "school"\nmsgstr "Schüler"\n\nmsgctxt "stick"\nmsgid "club"\n' +
      'msgid_plural "clubs"\nmsgstr[0] "Keule"\nmsgstr[1] "Keulen"\n',
    "de/LC_MESSAGES/keep": "",
  }, async (directory) => {
    const { success } = await new Deno.Command("msgfmt", {
      args: ["-o", "de/LC_MESSAGES/test.mo", "de.po"],
      cwd: directory,
    }).output();
    assert(success);
    await loadGettextTranslations(directory, "test");
    const german = Locale.get("de");
    assertEquals(german.translate("school"), "Schüler");
    assertEquals([1, 2].map((n) => german.pgettext("stick", "club", "clubs", n)), [
      "Keule",
      "Keulen",
    ]);
  }));

Deno.test("loadGettextTranslations() logs what is missing or wrong, and leaves it out", () => {
  const good = catalog(FRENCH);
  const files: Record<string, string | Uint8Array> = {
    "fr_FR/LC_MESSAGES/test.mo": good,
    "aa/LC_MESSAGES/other.mo": good,
    "bb/LC_MESSAGES/test.mo": "no catalog at all, though it is long enough",
    "cc/LC_MESSAGES/test.mo": catalog({ "": "Plural-Forms: nplurals=1; plural=alert(n);\n" }),
    "dd/LC_MESSAGES/test.mo": "",
    "ee/LC_MESSAGES/test.mo": catalog({ "": "Plural-Forms: nplurals=1; plural=(n;\n" }),
  };
  return withFiles(files, async (directory) => {
    const load = () => loadGettextTranslations(directory, "test");
    const wrong = ["aa", "bb", "cc", "dd", "ee"];
    await wrong.reduce<() => Promise<unknown>>(
      (next, code) => () =>
        expectLog(genLog, new RegExp(`Cannot load translation for "?${code}`), next),
      load,
    )();
    assertEquals([...getSupportedLocales()].sort(), ["en_US", "fr_FR"]);
  });
});

Deno.test("loadGettextTranslations() survives a catalog that is cut anywhere", () => {
  const good = catalog(FRENCH);
  const files = Object.fromEntries(
    Array.from(good.keys(), (length) => [`x${length}/LC_MESSAGES/t.mo`, good.slice(0, length)]),
  );
  return withFiles(files, async (directory) => {
    await expectLog(
      genLog,
      /Cannot read translations/,
      () => loadGettextTranslations(directory, "t"),
    );
    assertEquals(
      [...getSupportedLocales()].filter((code) => Number(code.slice(1)) < good.length - 1),
      [],
    );
  });
});

Deno.test("getLocale() finds the closest locale", () =>
  withFiles({ "fr_FR.csv": "", "pt_BR.csv": "", "pt.csv": "", "es.csv": "" }, async (directory) => {
    await loadTranslations(directory);
    const closest = (...codes: (string | null)[]) => getLocale(...codes).code;
    assertEquals(closest("fr-fr"), "fr_FR");
    assertEquals(closest("FR_fr"), "fr_FR");
    assertEquals(closest("pt-br"), "pt_BR");
    assertEquals(closest("pt_PT"), "pt");
    assertEquals(closest("PT"), "pt");
    assertEquals(closest("es-MX"), "es");
    assertEquals(closest("fr"), "en_US");
    assertEquals(closest("xx", "es"), "es");
    assertEquals(closest("", null, "zh-Hant-TW", "__proto__", "es"), "es");
    assertEquals(closest(), "en_US");
    assertStrictEquals(getLocale("es"), Locale.getClosest("es"));
  }));

Deno.test("setDefaultLocale() says what is used when nothing fits", () =>
  withFiles({ "fr.csv": "a,b\n" }, async (directory) => {
    setDefaultLocale("fr");
    assertEquals([getLocale("xx").code, getLocale("en_US").code], ["fr", "fr"]);
    await loadTranslations(directory);
    assertEquals(getLocale("xx").translate("a"), "b");
    assertEquals([...getSupportedLocales()], ["fr"]);
  }));

Deno.test("Locale.get() gives the same locale each time, without translations if need be", () => {
  const english = Locale.get("en_US");
  assertStrictEquals(Locale.get("en_US"), english);
  assertEquals([english.name, english.translate("school")], ["English (US)", "school"]);
  assertEquals(english.translate("one", "many", 1), "one");
  assertEquals(english.translate("one", null), "one");
  assertEquals(english.pgettext("law", "right", "rights", 2), "rights");
  assertThrows(() => english.translate("one", "many"), TypeError, "expected a count");
  assertThrows(() => Locale.get("xx"), Error, "Cannot get locale xx");
});

Deno.test("CSVLocale.pgettext() warns and translates without the context", () =>
  withFiles({ "fr_FR.csv": "school,école\n" }, async (directory) => {
    await loadTranslations(directory);
    await expectLog(genLog, /pgettext is not supported by CSVLocale/, () => {
      assertEquals(Locale.get("fr_FR").pgettext("building", "school"), "école");
    });
  }));

Deno.test("Locale.rtl and Locale.name are those of the language", () => {
  const of = (code: string) => new CSVLocale(code);
  assertEquals(["fa_IR", "ar", "he_IL", "en_US", "arn"].map((code) => of(code).rtl), [
    true,
    true,
    true,
    false,
    false,
  ]);
  assertEquals([of("es_LA").name, of("xx").name, of("constructor").name], [
    "Español",
    "Unknown",
    "Unknown",
  ]);
});

Deno.test("LOCALE_NAMES has the names of languages in English and in themselves", () => {
  assertEquals(LOCALE_NAMES["es_LA"], { nameEn: "Spanish", name: "Español" });
  assertEquals(LOCALE_NAMES["de_DE"], { nameEn: "German", name: "Deutsch" });
  assertEquals(Object.keys(LOCALE_NAMES).length, 62);
  for (const [code, { nameEn, name }] of Object.entries(LOCALE_NAMES)) {
    assert(/^[a-z]{2}_[A-Z]{2}$/.test(code) && nameEn !== "" && name !== "", code);
  }
});

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

Deno.test("Locale.formatDate() says how long ago it was, then when", () => {
  using _time = new FakeTime(Date.UTC(2013, 3, 28, 18, 35));
  const now = Date.now();
  const ago = (ms: number, options = {}) => getLocale("en_US").formatDate(now - ms, options);
  const cases: [number, string][] = [
    [0, "0 seconds ago"],
    [1 * SECOND, "1 second ago"],
    [2 * SECOND, "2 seconds ago"],
    [49 * SECOND, "49 seconds ago"],
    [50 * SECOND, "1 minute ago"],
    [2 * MINUTE, "2 minutes ago"],
    [49 * MINUTE, "49 minutes ago"],
    [50 * MINUTE, "1 hour ago"],
    [2 * HOUR, "2 hours ago"],
    [DAY - SECOND, "24 hours ago"],
    [DAY, "yesterday at 6:35 pm"],
    [DAY + 18 * HOUR, "yesterday at 12:35 am"],
    [DAY + 19 * HOUR, "Friday at 11:35 pm"],
    [2 * DAY, "Friday at 6:35 pm"],
    [4 * DAY, "Wednesday at 6:35 pm"],
    [5 * DAY, "April 23 at 6:35 pm"],
    [300 * DAY, "July 2 at 6:35 pm"],
    [333 * DAY, "May 30 at 6:35 pm"],
    [334 * DAY, "May 29, 2012 at 6:35 pm"],
    [500 * DAY, "December 15, 2011 at 6:35 pm"],
  ];
  for (const [ms, expected] of cases) assertEquals(ago(ms), expected);
  const shorter: [number, string][] = [
    [DAY, "yesterday"],
    [2 * DAY, "Friday"],
    [300 * DAY, "July 2"],
    [500 * DAY, "December 15, 2011"],
  ];
  for (const [ms, expected] of shorter) assertEquals(ago(ms, { shorter: true }), expected);
});

Deno.test("Locale.formatDate() takes dates, and options", () => {
  using _time = new FakeTime(Date.UTC(2013, 3, 28, 18, 35));
  const english = getLocale("en_US");
  const date = new Date(Date.UTC(2013, 3, 28, 18, 35));
  assertEquals(english.formatDate(date, { fullFormat: true }), "April 28, 2013 at 6:35 pm");
  assertEquals(english.formatDate(date, { fullFormat: true, shorter: true }), "April 28, 2013");
  assertEquals(english.formatDate(date, { relative: false }), "6:35 pm");
  assertEquals(english.formatDate(Number(date) - DAY, { relative: false }), "Saturday at 6:35 pm");
  assertEquals(
    english.formatDate(date, { fullFormat: true, gmtOffset: 60 * 19 }),
    "April 27, 2013 at 11:35 pm",
  );
  assertEquals(english.formatDate(date, { relative: false, gmtOffset: -330 }), "12:05 am");
});

Deno.test("Locale.formatDate() takes a date up to a minute ahead for now", () => {
  using _time = new FakeTime(Date.UTC(2013, 3, 28, 18, 35));
  const ahead = (ms: number, options = {}) =>
    getLocale("en_US").formatDate(Date.now() + ms, options);
  assertEquals(ahead(59 * SECOND), "0 seconds ago");
  assertEquals(ahead(60 * SECOND), "April 28, 2013 at 6:36 pm");
  assertEquals(ahead(DAY + 30 * SECOND), "April 29, 2013 at 6:35 pm");
  assertEquals(ahead(SECOND, { relative: false }), "April 28, 2013 at 6:35 pm");
});

Deno.test("Locale.formatDate() and formatDay() use the words and the clock of the language", () =>
  withFiles({
    "fr.csv":
      '%(month_name)s %(day)s at %(time)s,%(day)s %(month_name)s à %(time)s\nApril,avril\n"%(weekday)s, %(month_name)s %(day)s",%(weekday)s %(day)s %(month_name)s\nSunday,dimanche\n"1 second ago",il y a une seconde,singular\n"%(seconds)d seconds ago",il y a %(seconds)d secondes,plural\n',
    "zh_CN.csv": "",
  }, async (directory) => {
    await loadTranslations(directory);
    using _time = new FakeTime(Date.UTC(2013, 4, 10));
    const morning = Date.UTC(2013, 3, 28, 0, 5);
    const evening = Date.UTC(2013, 3, 28, 18, 35);
    const french = getLocale("fr");
    assertEquals(french.formatDate(evening), "28 avril à 18:35");
    assertEquals(french.formatDate(morning), "28 avril à 0:05");
    assertEquals(french.formatDay(evening), "dimanche 28 avril");
    assertEquals(french.formatDate(Date.now() - SECOND), "il y a une seconde");
    assertEquals(french.formatDate(Date.now() - 2 * SECOND), "il y a 2 secondes");
    const chinese = getLocale("zh_CN");
    assertEquals(chinese.formatDate(evening), "April 28 at 下午6:35");
    assertEquals(chinese.formatDate(morning), "April 28 at 上午12:05");
    assertEquals(getLocale("en_US").formatDate(morning), "April 28 at 12:05 am");
  }));

Deno.test("Locale.formatDay() gives day and month, with or without the day of the week", () => {
  const english = getLocale("en_US");
  const date = new Date(Date.UTC(2013, 3, 28, 18, 35));
  assertEquals(english.formatDay(date), "Sunday, April 28");
  assertEquals(english.formatDay(date, { dow: false }), "April 28");
  assertEquals(english.formatDay(Number(date), { gmtOffset: 60 * 19 }), "Saturday, April 27");
});

Deno.test("Locale.list() puts a word before the last of several", () => {
  const english = getLocale("en_US");
  assertEquals(
    [[], ["A"], ["A", "B"], ["A", "B", "C"]].map((parts) => english.list(parts)),
    ["", "A", "A and B", "A, B and C"],
  );
  assertEquals(new CSVLocale("fa_IR").list(["A", "B", "C"]), "A و B and C");
});

Deno.test("Locale.friendlyNumber() separates thousands in English", () => {
  const numbers = [0, 999, 1000, 1_000_000, -1234567];
  assertEquals(
    numbers.map((n) => getLocale("en_US").friendlyNumber(n)),
    ["0", "999", "1,000", "1,000,000", "-1,234,567"],
  );
  assertEquals(new CSVLocale("fr_FR").friendlyNumber(1_000_000), "1000000");
});

Deno.test("formatMessage() fills the placeholders of a message", () => {
  assertEquals(
    formatMessage("%(n)d of %(who)s, 100%% %d %(x)f", { n: 2.9, who: "Ada" }),
    "2 of Ada, 100% %d %(x)f",
  );
  assertEquals(formatMessage("%(a)s", { a: "%(b)s$&" }), "%(b)s$&");
  assertThrows(() => formatMessage("%(a)s", {}), Error, "no value for a");
  assertThrows(() => formatMessage("%(toString)s", {}), Error, "no value for toString");
});

async function hasProgram(name: string): Promise<boolean> {
  try {
    return (await new Deno.Command(name, { args: ["--version"] }).output()).success;
  } catch {
    return false;
  }
}
