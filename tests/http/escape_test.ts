import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  jsonDecode,
  jsonEncode,
  nativeStr,
  recursiveUnicode,
  squeeze,
  toBasestring,
  toUnicode,
  urlEscape,
  urlUnescape,
  utf8,
  xhtmlEscape,
  xhtmlUnescape,
} from "../../http/escape.ts";

Deno.test("xhtmlEscape() escapes the five characters", () => {
  assertEquals(xhtmlEscape("<foo>"), "&lt;foo&gt;");
  assertEquals(xhtmlEscape(`<>&"'`), "&lt;&gt;&amp;&quot;&#x27;");
  assertEquals(xhtmlEscape("&amp;"), "&amp;amp;");
  assertEquals(xhtmlEscape("\u00e9\0"), "\u00e9\0");
});

Deno.test("xhtmlUnescape() undoes xhtmlEscape()", () => {
  for (const text of ["<foo>", `<>&"'`, "&amp;", "<\u00e9>"]) {
    assertEquals(xhtmlUnescape(xhtmlEscape(text)), text);
  }
});

Deno.test("xhtmlUnescape() reads named, decimal and hexadecimal references", () => {
  for (
    const [html, text] of [
      ["foo&#32;bar", "foo bar"],
      ["foo&#x20;bar", "foo bar"],
      ["foo&#X20;bar", "foo bar"],
      ["foo&#xabc;bar", "foo\u0abcbar"],
      ["&eacute;&hellip;&#128512;", "é…😀"],
    ] as const
  ) assertEquals(xhtmlUnescape(html), text);
});

Deno.test("xhtmlUnescape() leaves what is no reference", () => {
  for (const html of ["foo&#xyz;bar", "foo&#;bar", "&nosuchname;", "&", "&amp", "& ;"]) {
    assertEquals(xhtmlUnescape(html), html);
  }
});

Deno.test("jsonEncode() keeps a script element from ending", () => {
  assertEquals(jsonEncode({ a: "</script>" }), '{"a":"<\\/script>"}');
  assertEquals(jsonDecode(jsonEncode("</script>")), "</script>");
  assertThrows(() => jsonEncode(undefined), TypeError);
});

Deno.test("jsonDecode() takes text and UTF-8", () => {
  assertEquals(jsonDecode('"é"'), "é");
  assertEquals(jsonDecode(utf8('"é"')), "é");
  assertThrows(() => jsonDecode("{"), SyntaxError);
  assertThrows(() => jsonDecode(Uint8Array.of(0x22, 0xe9, 0x22)), TypeError);
});

Deno.test("squeeze() makes one blank of each run", () => {
  assertEquals(squeeze("  a\t\r\n b \0c "), "a b c");
  assertEquals(squeeze(" \n "), "");
  assertEquals(squeeze("\u00a0a"), "\u00a0a");
});

Deno.test("urlEscape() and urlUnescape() agree", () => {
  for (
    const [text, plus, path] of [
      ["+ #%", "%2B+%23%25", "%2B%20%23%25"],
      ["a/b~c-d_e.f!*'()", "a%2Fb~c-d_e.f%21%2A%27%28%29", "a/b~c-d_e.f%21%2A%27%28%29"],
      ["\u00e9\0😀", "%C3%A9%00%F0%9F%98%80", "%C3%A9%00%F0%9F%98%80"],
      ["", "", ""],
    ] as const
  ) {
    assertEquals(urlEscape(text), plus);
    assertEquals(urlUnescape(plus), text);
    assertEquals(urlEscape(text, { plus: false }), path);
    assertEquals(urlUnescape(path, { plus: false }), text);
  }
});

Deno.test("urlEscape() takes bytes and text that is not well-formed", () => {
  assertEquals(urlEscape(Uint8Array.of(0xe9, 0x41)), "%E9A");
  assertEquals(urlEscape("\ud800"), "%EF%BF%BD");
});

Deno.test("urlUnescape() gives text in the encoding or bytes", () => {
  assertEquals(urlUnescape("%C3%A9"), "\u00e9");
  assertEquals(urlUnescape("%E9", { encoding: "latin1" }), "\u00e9");
  assertEquals(urlUnescape("%85", { encoding: "iso-8859-1" }), "\u0085");
  assertEquals(urlUnescape("%E9", { encoding: null }), Uint8Array.of(0xe9));
  assertEquals(urlUnescape(utf8("é+")), "é ");
  assertThrows(() => urlUnescape("a", { encoding: "nonesuch" }), RangeError);
});

Deno.test("urlUnescape() leaves a percent sign without two digits and a plus when told so", () => {
  assertEquals(urlUnescape("%"), "%");
  assertEquals(urlUnescape("%4"), "%4");
  assertEquals(urlUnescape("%zz%4g%41"), "%zz%4gA");
  assertEquals(urlUnescape("a+b", { plus: false }), "a+b");
  assertEquals(urlUnescape("%E9"), "\ufffd");
});

Deno.test("utf8() encodes text and keeps bytes and null", () => {
  const bytes = Uint8Array.of(0xc3, 0xa9);
  assertEquals(utf8("é"), bytes);
  assertStrictEquals(utf8(bytes), bytes);
  assertEquals([utf8(null), utf8()], [null, null]);
  assertThrows(() => utf8(1 as unknown as string), TypeError);
});

Deno.test("toUnicode() and its aliases decode bytes and keep text and null", () => {
  assert(toUnicode === nativeStr && toUnicode === toBasestring);
  assertEquals(toUnicode(Uint8Array.of(0xc3, 0xa9)), "é");
  assertEquals(toUnicode(Uint8Array.of(0xef, 0xbb, 0xbf)), "\ufeff");
  assertEquals([toUnicode("é"), toUnicode(null), toUnicode()], ["é", null, null]);
  assertThrows(() => toUnicode({} as unknown as string), TypeError);
  assertThrows(() => toUnicode(Uint8Array.of(0xe9)), TypeError);
});

Deno.test("recursiveUnicode() decodes inside arrays, objects, sets and maps", () => {
  const date = new Date(0);
  assertEquals(
    recursiveUnicode({
      a: [utf8("b"), 1, null],
      c: new Map([[utf8("d"), { e: utf8("f") }]]),
      g: new Set([utf8("h")]),
      date,
    }),
    { a: ["b", 1, null], c: new Map([["d", { e: "f" }]]), g: new Set(["h"]), date },
  );
  assertStrictEquals(Object.getPrototypeOf(recursiveUnicode(Object.create(null))), null);
});
