import { assertEquals, assertThrows } from "@std/assert";
import { utf8, xhtmlEscape } from "../../http/escape.ts";
import { DictLoader, Template } from "../../web/template/mod.ts";

const FILES = {
  "escaped.html": "{% autoescape xhtml_escape %}{{ name }}",
  "unescaped.html": "{% autoescape null %}{{ name }}",
  "none.html": "{% autoescape None %}{{ name }}",
  "default.html": "{{ name }}",
  "include.html":
    "escaped: {% include 'escaped.html' %}\nunescaped: {% include 'unescaped.html' %}" +
    "\ndefault: {% include 'default.html' %}\n",
};
const NAME = { name: 'Bobby <table> & "s"' };
const ESCAPED = "Bobby &lt;table&gt; &amp; &quot;s&quot;";

Deno.test("Template escapes what expressions print", () => {
  assertEquals(new Template("{{ name }}").generate(NAME), ESCAPED);
  assertEquals(new Template("{{ x }}").generate({ x: utf8("<é>") }), "&lt;é&gt;");
  assertEquals(new Template("{{ ['<', 1] }}{{ null }}").generate(), "&lt;,1");
});

Deno.test("Template escapes each character as xhtmlEscape() does, wherever it stands", () => {
  const template = new Template("{{ x }}");
  for (const char of ["&", "<", ">", '"', "'", "`", "é", "\u{1f600}", "\0", "/"]) {
    for (const x of [char, `a${char}`, `${char}a`, `${char}${char}a${char}`]) {
      assertEquals(template.generate({ x }), xhtmlEscape(x));
    }
  }
});

Deno.test("Template escapes by default, unless its loader or its file says otherwise", () => {
  const load = (name: string, autoescape?: string | null) =>
    new DictLoader(FILES, autoescape === undefined ? {} : { autoescape }).load(name).generate(NAME);
  for (const [autoescape, expected] of [[undefined, ESCAPED], [null, NAME.name]] as const) {
    assertEquals(load("default.html", autoescape), expected);
    assertEquals(load("escaped.html", autoescape), ESCAPED);
    assertEquals(load("unescaped.html", autoescape), NAME.name);
    assertEquals(load("none.html", autoescape), NAME.name);
    assertEquals(
      load("include.html", autoescape),
      `escaped: ${ESCAPED}\nunescaped: ${NAME.name}\ndefault: ${expected}\n`,
    );
  }
  assertEquals(load("default.html", "xhtml_escape"), ESCAPED);
});

Deno.test("Template takes an autoescape of its own before that of its loader", () => {
  const loader = new DictLoader({}, { autoescape: null });
  assertEquals(new Template("{{ name }}", { loader }).generate(NAME), NAME.name);
  assertEquals(
    new Template("{{ name }}", { loader, autoescape: "escape" }).generate(NAME),
    ESCAPED,
  );
  assertEquals(new Template("{{ name }}", { autoescape: null }).generate(NAME), NAME.name);
  assertThrows(
    () => new Template("", { autoescape: "a b" }),
    TypeError,
    'Cannot escape with "a b"',
  );
});

Deno.test("{% raw %} is never escaped, {{ }} in an applied block is", () => {
  assertEquals(new Template("{% raw name %}").generate(NAME), NAME.name);
  assertEquals(
    new Template("{% apply f %}{{ '<' }}<{% end %}").generate({ f: (text: string) => `<${text}>` }),
    "<&lt;<>",
  );
});

Deno.test("{% block %} keeps the autoescape of the file that it stands in", () => {
  const loader = new DictLoader({
    "base.html": "{% autoescape null %}base: {{ name }} {% block a %}{{ name }}{% end %}" +
      " {% block b %}{{ name }}{% end %}",
    "page.html": "{% extends 'base.html' %}{% block b %}page: {{ name }}{% end %}",
  });
  assertEquals(loader.load("page.html").generate({ name: "<>" }), "base: <> <> page: &lt;&gt;");
});

Deno.test("{% autoescape %} with a function of the namespace gives it what is printed, as text", () => {
  const seen: unknown[] = [];
  const own = (text: string) => {
    seen.push(text);
    return `[${text}]`;
  };
  const template = new Template("{% autoescape own %}{{ 1 }}{{ null }}{{ b }}{% raw 2 %}<");
  assertEquals(template.generate({ own, b: utf8("b") }), "[1][][b]2<");
  assertEquals(seen, ["1", "", "b"]);
  assertEquals(
    new Template("{{ 'a' }}", { autoescape: "o.own" }).generate({ o: { own } }),
    "[a]",
  );
  assertEquals(
    new Template("{% autoescape own %}{{ 'a' }}").generate({
      own: (text: string) => utf8(text + "é"),
    }),
    "aé",
  );
  assertThrows(
    () => new Template("{{ 'a' }}", { autoescape: "nobody" }).generate(),
    ReferenceError,
    "nobody is not defined",
  );
});

Deno.test("{% autoescape %} takes a function that the namespace has under the usual name", () => {
  const xhtmlEscape = (text: string) => `(${text})`;
  assertEquals(new Template("{{ '<' }}").generate({ xhtmlEscape }), "(<)");
  const loader = new DictLoader({ "a.html": "{{ '<' }}" }, { namespace: { xhtmlEscape } });
  assertEquals(loader.load("a.html").generate(), "(<)");
  assertEquals(
    new Template("{% set xhtmlEscape = f %}{{ '<' }}").generate({ f: xhtmlEscape }),
    "(<)",
  );
});

Deno.test("{% autoescape %} counts for its whole file, wherever it stands", () => {
  assertEquals(new Template("{{ '<' }}{% autoescape null %}{{ '<' }}").generate(), "<<");
});
