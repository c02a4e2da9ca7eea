import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { utf8, xhtmlEscape } from "../../http/escape.ts";
import { DictLoader, Template } from "../../web/template/mod.ts";

/** Renders text that is no HTML, so that nothing is escaped. */
function render(source: string, namespace: object = {}): string {
  return new Template(source, { autoescape: null }).generate(namespace);
}

/** Renders the first of some files. */
function renderFile(files: Record<string, string>, namespace: object = {}): string {
  return new DictLoader(files).load(Object.keys(files)[0]!).generate(namespace);
}

Deno.test("Template.generate() prints expressions, text and bytes", () => {
  assertEquals(render("Hello {{ name }}!", { name: "Ben" }), "Hello Ben!");
  assertEquals(render("Hello {{ name }}!", { name: utf8("é") }), "Hello é!");
  assertEquals(render("{{ 2 + 2 }}"), "4");
  assertEquals(render("{{ true }} {{ 1.5 }} {{ 10n }} {{ [1, 2] }}"), "true 1.5 10 1,2");
});

Deno.test("Template.generate() prints nothing for null and undefined", () => {
  assertEquals(render("[{{ null }}{{ undefined }}{{ x.y }}{% raw null %}]", { x: {} }), "[]");
});

Deno.test("Template takes bytes, with and without a byte order mark", () => {
  assertEquals(new Template(utf8("é {{ x }}")).generate({ x: 1 }), "é 1");
  assertEquals(new Template(utf8("\ufeffé")).generate(), "é");
  assertThrows(() => new Template(Uint8Array.of(0xff)), TypeError);
});

Deno.test("Template takes text and names that are not ASCII", () => {
  assertEquals(render('{{ "é" }}'), "é");
  assertEquals(render("ü{{ größe }}{{ 名 }}", { größe: 1, 名: "x" }), "ü1x");
  assertEquals(render("\u2028{{ x }}\u2029 \\ ` ${x}", { x: 1 }), "\u20281\u2029 \\ ` ${x}");
});

Deno.test("Template drops comments, whatever is in them", () => {
  assertEquals(render("a{# {{ }} it's {% %} #}b"), "ab");
  assertEquals(render("a{% comment it's {{ blah! %}b"), "ab");
});

Deno.test("Template prints the escaped beginnings of tags", () => {
  assertEquals(render("{{!"), "{{");
  assertEquals(render("{%!"), "{%");
  assertEquals(render("{#!"), "{#");
  assertEquals(render("{{ 'expr' }} {{!jquery expr}}"), "expr {{jquery expr}}");
});

Deno.test("Template takes the last two of several braces in a row", () => {
  assertEquals(render("\\emph{{{ x }}}", { x: 1 }), "\\emph{1}");
  assertEquals(render("{ {a} { }"), "{ {a} { }");
  assertEquals(render("{"), "{");
});

Deno.test("Template finds the end of a tag behind strings, objects and expressions", () => {
  assertEquals(render("{{ \"}}\" + '}}' + `}}` }}"), "}}}}}}");
  assertEquals(render("{{ {a: {b: 1}}.a.b }}"), "1");
  assertEquals(render("{{ JSON.stringify({a: {b: {}}}) }}"), '{"a":{"b":{}}}');
  assertEquals(render("{{ `${{ a: `}}${x}` }.a}` }}", { x: 2 }), "}}2");
  assertEquals(render('{{ "a}}b".replace(/}}|["/]/g, "-") }}'), "a-b");
  assertEquals(render("{{ x / 2 }} {{ (x) / 2 /1 }} {{ x++ / 2 }}", { x: 4 }), "2 2 2");
  assertEquals(render("{% set x = '%}' %}{{ x }}"), "%}");
  assertEquals(render("{% if x % 2 %}odd{% end %}", { x: 3 }), "odd");
  assertEquals(render('{{ "\\"}}" }}'), '"}}');
});

Deno.test("Template takes comments of the language inside tags", () => {
  assertEquals(render("{{ x // it's x }}{{ x /* }} */ }}", { x: 1 }), "11");
  assertEquals(render("{% if x // or not %}a{% end %}", { x: 1 }), "a");
  assertEquals(render("{% for a of x // all %}{{ a }}{% end %}", { x: [1, 2] }), "12");
  assertEquals(render('{% set a = "http://x" %}{{ a }}'), "http://x");
});

Deno.test("Template takes tags that run over lines", () => {
  assertEquals(render("{{\n x +\n 1\n}}{%\n if\n x\n %}a{%\nend\n%}", { x: 1 }), "2a");
  assertEquals(renderFile({ "a.txt": "{%\ninclude\n'b.txt'\n%}", "b.txt": "b" }), "b");
});

Deno.test("Template takes any expression of the language", () => {
  const namespace = { xs: [3, 1, 2], o: { a: { b: 5 }, f: (n: number) => n + 1 }, n: null };
  const cases: [string, string][] = [
    ["xs.map((x) => x * 2).join()", "6,2,4"],
    ["xs.toSorted((a, b) => a - b)[0]", "1"],
    ["xs.map(({ length }) => length ?? 'none').join()", "none,none,none"],
    ["o?.a?.b ?? 1", "5"],
    ["n?.a.b ?? 'none'", "none"],
    ["xs.length > 2 ? 'many' : 'few'", "many"],
    ["Object.entries({ a: 1, b: 2 }).flat().join()", "a,1,b,2"],
    ["((a, b = 2, ...c) => a + b + c.length)(1)", "3"],
    ["new Date(0).getUTCFullYear() + Math.max(...xs)", "1973"],
    ["typeof xs + void 0", "objectundefined"],
    ["function (x) { return x }(1)", "1"],
    ["/^a+$/.test('aaa') && 'a'.length in xs", "true"],
    ["o.f(1), o.f(2)", "3"],
    ["`${xs.length} of ${o.a.b}`", "3 of 5"],
    ["{ ...o, n }.n === null", "true"],
    ["0x1f + 1e3 + .5 + 1_000", "2031.5"],
    ["!n", "true"],
    ["this", ""],
  ];
  for (const [expression, expected] of cases) {
    assertEquals(render(`{{ ${expression} }}`, namespace), expected, expression);
  }
});

Deno.test("Template.generate() takes names from the namespace, the loader and the built-in ones", () => {
  const loader = new DictLoader({ "a.txt": "{{ x }} {{ y }} {{ squeeze('  a  b ') }}" }, {
    namespace: { x: 1, y: 1 },
  });
  assertEquals(loader.load("a.txt").generate({ y: 2 }), "1 2 a b");
  assertEquals(loader.load("a.txt").generate({ squeeze: () => "own" }), "1 1 own");
});

Deno.test("Template.generate() makes what is in no namespace the error that it is", () => {
  assertThrows(() => render("{{ nobody }}"), ReferenceError, "nobody is not defined");
  assertEquals(render("{% if typeof nobody === 'undefined' %}none{% end %}"), "none");
  assertThrows(() => render("{{ nobody = 1 }}"), ReferenceError, "nobody is not defined");
});

Deno.test("Template.generate() takes what is left out at times", () => {
  const template = new Template("{{ typeof a }} {{ typeof b }}");
  const both = { a: 1, b: 1 };
  assertEquals(template.generate(both), "number number");
  assertEquals(template.generate({ a: 1 }), "number undefined");
  assertEquals(template.generate({ b: "" }), "undefined string");
  assertEquals(template.generate({}), "undefined undefined");
  assertEquals(template.generate(both), "number number");
});

Deno.test("Template.generate() goes on when every namespace has other names", () => {
  const names = [..."abcdefgh"];
  const template = new Template(names.map((name) => `{{ typeof ${name} }}`).join(","));
  for (let bits = 0; bits < 256; bits++) {
    const here = names.filter((_, i) => bits >> i & 1);
    const output = template.generate(Object.fromEntries(here.map((name) => [name, 1])));
    const expected = names.map((name) => here.includes(name) ? "number" : "undefined");
    assertEquals(output, expected.join());
  }
});

Deno.test("Template.generate() sees getters and inherited names, but not those of every object", () => {
  class Namespace {
    get greeting() {
      return "hi";
    }
  }
  assertEquals(render("{{ greeting }}", new Namespace()), "hi");
  assertEquals(render("{{ typeof hasOwnProperty('x') }}", { hasOwnProperty: () => 1 }), "number");
  let asked = 0;
  const lazy = {
    get user() {
      asked++;
      return "Ada";
    },
  };
  assertEquals(render("{{ o.user }}{{ {user: 1}.user }}", { ...{ o: {} }, lazy }), "1");
  assertEquals(render("nobody is asked for", lazy), "nobody is asked for");
  assertEquals(asked, 0);
  assertEquals(render("{{ user }}", lazy), "Ada");
  assertEquals(asked, 1);
});

Deno.test("Template.generate() takes a namespace whose keys are no names", () => {
  const namespace = { "class": 1, "a-b": 2, "1": 3, "": 4, "x;": 5, await: 6, arguments: 7, x: 8 };
  assertEquals(render("{{ x }}", namespace), "8");
});

Deno.test("Template.generate() does not change the namespace", () => {
  const namespace = Object.freeze({ x: 1 });
  assertEquals(render("{% set x = x + 1 %}{{ x }}", namespace), "2");
  assertEquals(namespace.x, 1);
});

Deno.test("Template has names of its own built in, in both spellings", () => {
  const template = new Template(
    "{% raw escape('<') %}{% raw xhtmlEscape('<') %}{% raw xhtml_escape('<') %} " +
      "{{ urlEscape(' ') }}{{ url_escape(' ') }} {% raw jsonEncode('</') %}" +
      "{% raw json_encode('</') %} {{ squeeze(' a ') }} {% raw linkify('http://a.b') %}",
  );
  assertEquals(
    template.generate(),
    '&lt;&lt;&lt; ++ "<\\/""<\\/" a <a href="http://a.b">http://a.b</a>',
  );
  assertEquals(render("{{ escape === f }}", { f: xhtmlEscape }), "true");
});

Deno.test("{% apply %} gives the output of its block to a function of text or bytes", () => {
  const upper = (text: string) => text.toUpperCase();
  assertEquals(render("{% apply upper %}foo{% end %}", { upper }), "FOO");
  const bytes = (text: string) => utf8(text.toUpperCase());
  assertEquals(render("{% apply bytes %}fé{% end %}", { bytes }), "FÉ");
  assertEquals(
    render("{% apply o.wrap %}x{% end %}", {
      o: {
        mark: "*",
        wrap(text: string) {
          return this.mark + text;
        },
      },
    }),
    "*x",
  );
  assertEquals(render("{% apply t => t.length %}abc{% end %}"), "3");
});

Deno.test("{% apply %} can stand in itself", () => {
  const namespace = {
    upper: (text: string) => text.toUpperCase(),
    wrap: (text: string) => `<${text}>`,
  };
  assertEquals(
    render("{% apply wrap %}{% apply upper %}foo{% end %}-{% end %}", namespace),
    "<FOO->",
  );
});

Deno.test("{% if %} takes the first branch whose condition holds", () => {
  const source =
    "{% if x > 4 %}yes{% elif x > 2 %}maybe{% else if x > 1 %}hardly{% else %}no{% end %}";
  assertEquals([5, 3, 2, 1].map((x) => render(source, { x })), ["yes", "maybe", "hardly", "no"]);
  assertEquals(render("{% if true %}{% end %}"), "");
  assertEquals(render("{% if false %}{% else %}{% end %}x"), "x");
});

Deno.test("{% for %} goes through anything iterable", () => {
  assertEquals(render("{% for x of xs %}{{ x }},{% end %}", { xs: [1, 2] }), "1,2,");
  assertEquals(render("{% for x in xs %}{{ x }},{% end %}", { xs: ["a", "b"] }), "a,b,");
  assertEquals(render("{% for x of xs %}{{ x }},{% end %}", { xs: new Set("ab") }), "a,b,");
  assertEquals(
    render("{% for [k, v] of Object.entries(o) %}{{ k }}={{ v }} {% end %}", { o: { a: 1, b: 2 } }),
    "a=1 b=2 ",
  );
  assertEquals(
    render("{% for k, v in m %}{{ k }}={{ v }} {% end %}", { m: new Map([["a", 1]]) }),
    "a=1 ",
  );
  assertEquals(
    render("{% for { a, b: [c = z], ...d } of xs %}{{ a }}{{ c }}{{ d.e }}{% end %}", {
      xs: [{ a: 1, b: [], e: 3 }],
      z: 2,
    }),
    "123",
  );
  assertThrows(() => render("{% for x of xs %}{% end %}", { xs: null }), TypeError);
});

Deno.test("{% for %} hides a name of the namespace, which its items may still use", () => {
  const tree = { name: "a", items: [{ name: "b", items: [{ name: "c", items: [] }] }] };
  assertEquals(
    render(
      "{% for node of node.items %}{{ node.name }}" +
        "{% for node of node.items %}{{ node.name }}{% end %}{% end %}{{ node.name }}",
      { node: tree },
    ),
    "bca",
  );
});

Deno.test("{% for %} gives each turn a variable of its own", () => {
  assertEquals(
    render(
      "{% set f = [] %}{% for x of [1, 2] %}{% set n = f.push(() => x) %}{% end %}{{ f[0]() }}",
    ),
    "1",
  );
});

Deno.test("{% break %} and {% continue %} leave a loop and a turn of it", () => {
  assertEquals(
    render(
      "{% for i of Array(10).keys() %}{% if i == 2 %}{% continue %}{% end %}{{ i }}" +
        "{% if i == 6 %}{% break %}{% end %}{% end %}",
    ),
    "013456",
  );
  assertEquals(
    render(
      "{% set i = 0 %}{% while i < 10 %}{% set i += 1 %}{% if i % 2 %}{% continue %}{% end %}" +
        "{{ i }}{% if i > 5 %}{% break %}{% end %}{% end %}",
    ),
    "246",
  );
});

Deno.test("{% else %} of a loop runs when there was no break", () => {
  const source =
    "{% for x of xs %}{% if x === 2 %}found{% break %}{% end %}{{ x }}{% else %}none{% end %}";
  assertEquals(render(source, { xs: [1, 2, 3] }), "1found");
  assertEquals(render(source, { xs: [1, 3] }), "13none");
  assertEquals(render(source, { xs: [] }), "none");
  assertEquals(render("{% while false %}{% else %}none{% end %}"), "none");
  assertEquals(
    render(
      "{% for x of [1, 2] %}{{ x }}{% for y of [] %}{% else %}{% break %}{% end %}{% end %}!",
    ),
    "1!",
  );
  assertEquals(
    render(
      "{% for x of [1] %}{% try %}{% break %}{% finally %}f{% end %}{% else %}none{% end %}",
    ),
    "f",
  );
});

Deno.test("{% try %} catches, else runs when nothing was thrown, finally in any case", () => {
  const source = "{% try %}a{% if x %}{{ y.z }}{% end %}{% catch e %}c{{ e.name }}" +
    "{% else %}e{% finally %}f{% end %}";
  assertEquals(render(source, { x: true, y: null }), "acTypeErrorf");
  assertEquals(render(source, { x: false, y: null }), "aef");
  assertEquals(render("{% try %}{{ y.z }}{% except %}-{% end %}", { y: null }), "-");
  assertEquals(
    render("{% try %}{{ y.z }}{% catch { name } %}{{ name }}{% end %}", { y: null }),
    "TypeError",
  );
  assertThrows(() => render("{% try %}{{ y.z }}{% finally %}{% end %}", { y: null }), TypeError);
});

Deno.test("{% try %} does not catch what its else throws, nor what its catch throws", () => {
  const fail = () => {
    throw new RangeError("failed");
  };
  assertThrows(
    () => render("{% try %}{% catch %}c{% else %}{{ fail() }}{% end %}", { fail }),
    RangeError,
  );
  assertThrows(
    () => render("{% try %}{{ x.y }}{% catch %}{{ fail() }}{% end %}", { fail, x: null }),
    RangeError,
  );
});

Deno.test("{% try %} keeps the output of blocks around the one that failed", () => {
  assertEquals(
    render(
      "{% try %}a{% apply f %}b{{ x.y }}{% end %}{% catch %}c{% end %}d",
      { x: null, f: String },
    ),
    "acd",
  );
});

Deno.test("{% set %} makes variables of the whole template", () => {
  assertEquals(render("{% if true %}{% set x = 1 %}{% end %}{{ x }}"), "1");
  assertEquals(
    render("{% try %}{% set y = x.z %}{% catch %}{% set y = 2 %}{% end %}{{ y }}", { x: null }),
    "2",
  );
  assertEquals(render("{% apply s => s %}{% set y = 1 %}{% end %}{{ y }}"), "1");
  assertEquals(render("{% for x of [1, 2] %}{% set last = x %}{% end %}{{ last }}"), "2");
});

Deno.test("{% set %} takes any assignment", () => {
  const cases: [string, string, string][] = [
    ["[a, b] = [1, 2]", "a + b", "3"],
    ["{ a, b: [c], ...d } = { a: 1, b: [2], e: 3 }", "a + c + d.e", "6"],
    ["{ a = Math.max(1, 2) } = {}", "a", "2"],
    ["[, a, ...b] = [1, 2, 3, 4]", "a + b.length", "4"],
    ["a, b = [1, 2]", "a + b", "3"],
    ["a = b = 3", "a + b", "6"],
    ["a = 1, b = 2", "a + b", "3"],
    ["n += 1", "n", "6"],
    ["n ??= 1", "n", "5"],
    ["o.p = 7", "o.p", "7"],
    ["a = x => { let y = x; return y == 1 }", "a(1)", "true"],
    ["a = { b: 1, c: '=' }", "a.c", "="],
    ["escape = 1", "escape", "1"],
  ];
  for (const [assignment, expression, expected] of cases) {
    assertEquals(
      render(`{% set ${assignment} %}{{ ${expression} }}`, { n: 5, o: {} }),
      expected,
      assignment,
    );
  }
});

Deno.test("{% import %} and {% from %} take what the loader offers", () => {
  const modules = {
    text: { up: (s: string) => s.toUpperCase(), dash: "-" },
    "my-math": { two: 2 },
  };
  const output = (source: string) =>
    new DictLoader({ "a.txt": source }, { modules }).load("a.txt").generate();
  assertEquals(output("{% import text %}{{ text.up('a') }}"), "A");
  assertEquals(output("{% import text as t, my-math as m %}{{ t.dash }}{{ m.two }}"), "-2");
  assertEquals(output("{% from text import up, dash as d %}{{ up('a') }}{{ d }}"), "A-");
  assertEquals(output("{% from text import up %}{% autoescape up %}{{ 'x' }}"), "X");
});

Deno.test("{% module %} calls a module of the namespace and does not escape its output", () => {
  const modules = { Entry: (id: number, { bold = false } = {}) => bold ? `<b>${id}</b>` : id };
  const template = new Template("{% module Entry(x) %} {% module Entry(2, { bold: true }) %}");
  assertEquals(template.generate({ modules, x: 1 }), "1 <b>2</b>");
  assertEquals(template.generate({ modules: {}, _tt_modules: modules, x: 1 }), "1 <b>2</b>");
  assertThrows(() => template.generate({ x: 1 }), Error, "Cannot use module Entry");
});

Deno.test("{% include %} sees local variables and passes its own on", () => {
  assertEquals(
    renderFile({
      "a.txt": "{% for x of [1, 2] %}{% include 'b.txt' %}{% end %}{{ seen }}",
      "b.txt": "{{ x }}{% set seen = x %};",
    }),
    "1;2;2",
  );
});

Deno.test("{% include %} takes names with and without quotes, relative to its file", () => {
  const loader = new DictLoader({
    "index.html": "{% include 'sub/list.html' %}",
    "sub/list.html": '{% include "./item.html" %}{% include ../foot.html %}',
    "sub/item.html": "item {% include deep/x.html %}",
    "sub/deep/x.html": "x{% include ../../foot.html %}",
    "foot.html": " foot",
  });
  assertEquals(loader.load("index.html").generate(), "item x foot foot");
});

Deno.test("{% extends %} puts blocks in place of those of the base", () => {
  const files = {
    "page.html": '{% extends "base.html" %}ignored{% block title %}page title{% end %}' +
      "{% block body %}page body{% end %}",
    "base.html": "<title>{% block title %}default title{% end %}</title>" +
      "<body>{% block body %}default body{% end %}</body>",
  };
  assertEquals(renderFile(files), "<title>page title</title><body>page body</body>");
  assertEquals(
    new DictLoader(files).load("base.html").generate(),
    "<title>default title</title><body>default body</body>",
  );
});

Deno.test("{% extends %} reaches over several files, and the last child wins", () => {
  assertEquals(
    renderFile({
      "c.txt": "{% extends 'b.txt' %}{% block x %}c{% end %}",
      "b.txt":
        "{% extends 'a.txt' %}{% block x %}b{% end %}{% block y %}b{% block z %}b{% end %}{% end %}",
      "a.txt": "{% block x %}a{% end %}{% block y %}a{% end %}{% block w %}a{% end %}",
    }),
    "cbba",
  );
});

Deno.test("{% extends %} replaces blocks of files that the base includes", () => {
  assertEquals(
    renderFile({
      "page.txt": "{% extends 'base.txt' %}{% block nav %}own{% end %}",
      "base.txt": "[{% include 'nav.txt' %}]",
      "nav.txt": "{% block nav %}default{% end %}",
    }),
    "[own]",
  );
});

Deno.test("{% extends %} of an included file counts for that file", () => {
  assertEquals(
    renderFile({
      "page.txt": "{% include 'a.txt' %}{% include 'b.txt' %}{% block x %}page{% end %}",
      "a.txt": "{% extends 'box.txt' %}{% block x %}a{% end %}",
      "b.txt": "{% extends 'box.txt' %}{% block x %}b{% end %}",
      "box.txt": "<{% block x %}{% end %}>",
    }),
    "<a><b>page",
  );
});

Deno.test("{% block %} of the same name in itself is replaced by the inner one", () => {
  assertEquals(render("[{% block x %}a{% block x %}b{% end %}{% end %}]"), "[b]");
  assertEquals(
    renderFile({
      "page.txt": "{% extends 'base.txt' %}{% block y %}y{% block x %}x{% end %}{% end %}",
      "base.txt": "{% block x %}{% block y %}{% end %}{% end %}",
    }),
    "x",
  );
});

Deno.test("{% block %} sees the local variables of the place it is put in", () => {
  assertEquals(
    renderFile({
      "page.txt": "{% extends 'base.txt' %}{% block item %}<{{ x }}>{% end %}",
      "base.txt": "{% for x of [1, 2] %}{% block item %}{{ x }}{% end %}{% end %}",
    }),
    "<1><2>",
  );
});

Deno.test("Template.code shows what it was compiled to", () => {
  const { code } = new Template("a{{ b }}");
  assertEquals(code.includes('"a"') && /\(b\)/.test(code), true, code);
  assertStrictEquals(new Template("").code, "");
});
