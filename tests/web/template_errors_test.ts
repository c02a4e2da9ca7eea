import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { DictLoader, ParseError, Template } from "../../web/template/mod.ts";

/** What is wrong with a template, "message at name:line". */
function fault(source: string, modules: Record<string, unknown> = {}): string {
  const loader = new DictLoader({ "a.html": source, "fine.html": "" }, { modules });
  return assertThrows(() => loader.load("a.html"), ParseError).message;
}

/** The lines of the stack that name templates, from the inside out. */
function places(files: Record<string, string>, namespace: object = {}): string[] {
  const template = new DictLoader(files).load(Object.keys(files)[0]!);
  const error = assertThrows(() => template.generate(namespace), Error);
  const lines = error.stack!.split("\n").filter((line) => /^ +at \S+\.(?:html|txt)/.test(line));
  return lines.map((line) => line.replace(/^ +at /, ""));
}

Deno.test("ParseError tells file and line, in its text too", () => {
  const error = assertThrows(() => new Template("\n\n{{", { name: "foo.html" }), ParseError);
  assertEquals([error.name, error.filename, error.lineno], ["ParseError", "foo.html", 3]);
  assert(error.message.endsWith(" at foo.html:3"), error.message);
  const bare = new ParseError("wrong");
  assertEquals([bare.message, bare.filename, bare.lineno], ["wrong", null, 0]);
  assert(assertThrows(() => new Template("{{"), ParseError).message.endsWith("at <string>:1"));
});

Deno.test("Template refuses tags without end", () => {
  assertEquals(fault("\n{{ x"), "Missing end of tag }} at a.html:2");
  assertEquals(fault("\n{{ x %} }\n"), 'Missing end of tag }}: a "}" closes nothing at a.html:2');
  assertEquals(fault("\n{% if x"), "Missing end of tag %} at a.html:2");
  assertEquals(fault("\n{% end"), "Missing end of tag %} at a.html:2");
  assertEquals(fault("\n{# x"), "Missing end of tag #} at a.html:2");
  assertEquals(fault("{% comment x"), "Missing end of tag %} at a.html:1");
  assertEquals(fault("{{ 'x }}"), "Missing end of tag }}: a string is not closed at a.html:1");
  assertEquals(
    fault("{{ `x${ `y` }} }}"),
    "Missing end of tag }}: a template literal is not closed at a.html:1",
  );
  assertEquals(
    fault("{{ /x[/] }}\n"),
    "Missing end of tag }}: a regular expression is not closed at a.html:1",
  );
});

Deno.test("Template refuses empty tags", () => {
  assertEquals(fault("\n{{ }}"), "Empty expression {{ }} at a.html:2");
  assertEquals(fault("{{}}"), "Empty expression {{ }} at a.html:1");
  assertEquals(fault("{%\n%}"), "Empty directive {% %} at a.html:1");
});

Deno.test("Template refuses what is no expression, with the words of the engine", () => {
  assertEquals(
    fault("a\n{{ x y }}"),
    "Cannot use \"x y\": Unexpected identifier 'y' at a.html:2",
  );
  const wrong = [
    "{{ x) + (y }}",
    "{{ x] + [y }}",
    "{{ x; y }}",
    "{{ }; evil(); { }}",
    "{{ ...x }}",
    "{{ f( }}",
    "{{ await x }}",
    "{{ return 1 }}",
    "{{ let x = 1 }}",
    "{{ delete x }}",
    "{{ x, }}",
    "{{ // nothing\n }}",
    "{% raw x) ; (y %}",
    "{% if x) { } if (y %}{% end %}",
    "{% if x { %}{% end %}",
    "{% while x); (y %}{% end %}",
    "{% for x of y) { } for (let z of [] %}{% end %}",
    "{% for x, = 1 of y %}{% end %}",
    "{% for x.y of z %}{% end %}",
    "{% for class of z %}{% end %}",
    "{% set x = 1; y = 2 %}",
    "{% set 1 = x %}",
    "{% set x = %}",
    "{% set class = 1 %}",
    "{% apply x) + (y %}{% end %}",
    "{% module M(x) + (y %}",
    "{% try %}{% catch e, f %}{% end %}",
    "{% try %}{% catch e) { } catch (f %}{% end %}",
    "{% autoescape x y %}",
  ];
  for (const source of wrong) {
    const message = fault(`\n${source}`);
    assert(message.endsWith(" at a.html:2"), `${source}: ${message}`);
  }
});

Deno.test("Template refuses blocks without end, and ends without block", () => {
  assertEquals(fault("\n{% if x %}\n\n"), "Missing {% end %} of if at a.html:2");
  assertEquals(fault("{% block x %}{% if x %}{% end %}"), "Missing {% end %} of block at a.html:1");
  assertEquals(fault("\n{% end %}"), "Extra {% end %} at a.html:2");
  assertEquals(fault("{% if x %}{% end %}\n{% end %}"), "Extra {% end %} at a.html:2");
});

Deno.test("Template refuses parts of blocks in other ones", () => {
  assertEquals(
    fault("\n{% else %}"),
    "Misplaced else: expected if or for or while or try at a.html:2",
  );
  assertEquals(
    fault("{% block x %}\n{% else %}{% end %}"),
    "Misplaced else in block: expected if or for or while or try at a.html:2",
  );
  assertEquals(
    fault("{% for x of y %}{% elif x %}{% end %}"),
    "Misplaced elif in for: expected if at a.html:1",
  );
  assertEquals(
    fault("{% if x %}{% catch %}{% end %}"),
    "Misplaced catch in if: expected try at a.html:1",
  );
  const wrong = [
    "{% finally %}",
    "{% if x %}{% else %}{% else %}{% end %}",
    "{% if x %}{% else %}{% elif y %}{% end %}",
    "{% if x %}{% else y %}{% end %}",
    "{% for x of y %}{% else %}{% else %}{% end %}",
    "{% for x of y %}{% else x %}{% end %}",
    "{% try %}{% end %}",
    "{% try %}{% else %}{% end %}",
    "{% try %}{% else %}{% catch %}{% end %}",
    "{% try %}{% catch %}{% catch %}{% end %}",
    "{% try %}{% finally %}{% catch %}{% end %}",
    "{% try x %}{% catch %}{% end %}",
    "{% try %}{% finally x %}{% end %}",
  ];
  for (const source of wrong) assert(fault(source).endsWith(" at a.html:1"), source);
});

Deno.test("Template refuses unknown operators", () => {
  assertEquals(fault("\n{% endif %}"), 'Unknown operator "endif" at a.html:2');
  assertEquals(fault("{% toString %}"), 'Unknown operator "toString" at a.html:1');
  assertEquals(fault("{% 1 + 1 %}"), 'Unknown operator "1" at a.html:1');
});

Deno.test("Template refuses operators without what they need", () => {
  assertEquals(fault("{% include %}"), "Missing name of include at a.html:1");
  assertEquals(fault('{% include "" %}'), "Missing name of include at a.html:1");
  assertEquals(fault("{% extends %}"), "Missing name of extends at a.html:1");
  assertEquals(fault("{% block %}{% end %}"), "Missing name of block at a.html:1");
  assertEquals(fault("{% autoescape %}"), "Missing name of autoescape at a.html:1");
  assertEquals(fault("{% apply %}{% end %}"), "Missing expression of apply at a.html:1");
  assertEquals(fault("{% if %}{% end %}"), "Missing expression of if at a.html:1");
  assertEquals(fault("{% if x %}{% elif %}{% end %}"), "Missing expression of elif at a.html:1");
  assertEquals(
    fault("{% if x %}{% else if %}{% end %}"),
    "Missing expression of else if at a.html:1",
  );
  assertEquals(fault("{% raw %}"), "Missing expression of raw at a.html:1");
  assertEquals(fault("{% for x of %}{% end %}"), "Missing expression of for at a.html:1");
  for (const source of ["{% for %}{% end %}", "{% for x %}{% end %}", "{% for of y %}{% end %}"]) {
    assertEquals(fault(source), "Cannot loop: expected {% for name of items %} at a.html:1");
  }
  for (const source of ["{% set %}", "{% set x %}", "{% set x == 1 %}", "{% set f(x) %}"]) {
    assertEquals(fault(source), "Cannot set: expected {% set name = value %} at a.html:1");
  }
  assertEquals(fault("{% import %}"), "Cannot import: expected {% import module %} at a.html:1");
  for (const source of ["{% from %}", "{% from m %}", "{% from m import %}"]) {
    assertEquals(
      fault(source, { m: {} }),
      "Cannot import: expected {% from module import name %} at a.html:1",
    );
  }
  for (const source of ["{% module %}", "{% module M %}", "{% module 'x'.at(1) %}"]) {
    assertEquals(
      fault(source),
      "Cannot use a module: expected {% module Name(...) %} at a.html:1",
    );
  }
  assertEquals(fault("{% whitespace few %}"), 'Unknown whitespace mode "few" at a.html:1');
});

Deno.test("Template refuses break and continue outside of a loop, and across apply", () => {
  assertEquals(fault("\n{% break %}"), "Misplaced break: expected a loop at a.html:2");
  assertEquals(
    fault("{% if x %}{% continue %}{% end %}"),
    "Misplaced continue: expected a loop at a.html:1",
  );
  assertEquals(
    fault("{% for x of y %}{% apply z %}{% break %}{% end %}{% end %}"),
    "Misplaced break: expected a loop at a.html:1",
  );
  assertEquals(
    fault("{% for x of y %}{% else %}{% break %}{% end %}"),
    "Misplaced break: expected a loop at a.html:1",
  );
  // The block that stands in the loop is not the one that is put there.
  assertEquals(
    fault("{% for x of y %}{% block z %}{% end %}{% end %}\n{% block z %}{% break %}{% end %}"),
    "Misplaced break: expected a loop at a.html:2",
  );
  assertEquals(
    new Template(
      "{% for x of [1, 2] %}{% apply f %}{% for y of [3, 4] %}{{ y }}{% break %}{% end %}{% end %}{% end %}",
    )
      .generate({ f: (text: string) => `(${text})` }),
    "(3)(3)",
  );
});

Deno.test("Template refuses names that are its own", () => {
  for (const name of ["_tt_out", "_tt", "arguments", "eval"]) {
    const message = `Cannot use the name ${name}: it is reserved at a.html:1`;
    assertEquals(fault(`{{ ${name} }}`), message);
    assertEquals(fault(`{% from m import x as ${name} %}`, { m: { x: 1 } }), message);
  }
  assertEquals(new Template("{{ x.eval }}{{ x._tt }}").generate({ x: { eval: 1, _tt: 2 } }), "12");
});

Deno.test("Template refuses imports that the loader does not offer", () => {
  assertEquals(fault("{% import os %}"), "Cannot import os: unknown module at a.html:1");
  assertEquals(
    fault("{% import toString %}"),
    "Cannot import toString: unknown module at a.html:1",
  );
  assertEquals(
    fault("\n{% from m import b %}", { m: { a: 1 } }),
    "Cannot import b: not in m at a.html:2",
  );
  assertEquals(
    fault("{% import a-b %}", { "a-b": 1 }),
    'Cannot import "a-b": expected a name at a.html:1',
  );
  assertEquals(
    fault("{% from m import * %}", { m: {} }),
    'Cannot import "*": expected a name at a.html:1',
  );
  assertThrows(() => new Template("{% import m %}"), ParseError, "unknown module");
});

Deno.test("Template refuses files that are not there, and what is wrong in others", () => {
  const load = (files: Record<string, string>) =>
    assertThrows(() => new DictLoader(files).load("a.html"), ParseError);
  const missing = load({ "a.html": "\n{% include 'b.html' %}" });
  assertEquals(
    missing.message,
    "Cannot include b.html: Cannot load b.html: there is no such template at a.html:2",
  );
  assert(missing.cause instanceof Error);
  assertEquals(
    load({ "a.html": "{% extends 'b.html' %}" }).message,
    "Cannot extend b.html: Cannot load b.html: there is no such template at a.html:1",
  );
  assertEquals(
    load({ "a.html": "{% include 'b.html' %}", "b.html": "\n{{" }).message,
    "Missing end of tag }} at b.html:2",
  );
  assertThrows(() => new Template("{% include 'x' %}"), ParseError, "the template has no loader");
});

Deno.test("Template refuses files that contain themselves", () => {
  const load = (files: Record<string, string>) =>
    assertThrows(() => new DictLoader(files).load("a.html"), ParseError).message;
  assertEquals(
    load({ "a.html": "{% include 'a.html' %}" }),
    "Cannot include a.html: it includes or extends itself at a.html:1",
  );
  assertEquals(
    load({ "a.html": "\n{% extends 'b.html' %}", "b.html": "{% include 'a.html' %}" }),
    "Cannot include a.html: it includes or extends itself at b.html:1",
  );
});

Deno.test("Template.generate() shows the line of an expression and of a directive", () => {
  assertEquals(places({ "test.html": "hello\n{{ nobody }}\n" }), ["test.html:2"]);
  assertEquals(places({ "test.html": "a{{ 1 }}\n{{ 2 }}{% if nobody %}{% end %}\n" }), [
    "test.html:2",
  ]);
  assertEquals(places({ "test.html": "{% if false %}\n{% elif nobody %}{% end %}" }), [
    "test.html:2",
  ]);
  assertEquals(places({ "test.html": "\n{% for x of null %}{% end %}" }), ["test.html:2"]);
  assertEquals(places({ "test.html": "\n{% set x = nobody %}" }), ["test.html:2"]);
  assertEquals(places({ "test.html": "\n{% raw nobody %}" }), ["test.html:2"]);
  assertEquals(
    places({ "test.html": "\n{% apply f %}\n{{ 1 }}{% end %}" }, { f: null }),
    ["test.html:2"],
  );
  assertEquals(
    places({ "test.html": "{% autoescape f %}\n{{ 1 }}" }, { f: null }),
    ["test.html:2"],
  );
});

Deno.test("Template.generate() shows the line of a loop that fails after a turn", () => {
  const items = function* () {
    yield 1;
    throw new Error("no more");
  };
  const source = "\n{% for x of items() %}\n{{ x }}\n{% if x %}{% continue %}{% end %}{% end %}";
  assertEquals(places({ "test.html": source }, { items }), ["test.html:2"]);
  assertEquals(
    places({ "test.html": "\n{% while x.pop().y %}\n{{ 1 }}{% end %}" }, { x: [{ y: 1 }] }),
    ["test.html:2"],
  );
});

Deno.test("Template.generate() shows the line of an error, not of the cleanup behind it", () => {
  assertEquals(
    places({ "test.html": "{% try %}\n{{ nobody }}{% finally %}\n{{ 1 }}{% end %}" }),
    ["test.html:2"],
  );
  assertEquals(
    places({ "test.html": "{% try %}\n{{ nobody }}{% catch %}\n{{ nothing }}{% end %}" }),
    ["test.html:3"],
  );
});

Deno.test("Template.generate() shows the line of a module, and of the template in it", () => {
  const inner = new Template("\n\n{{ nobody }}", { name: "inner.html" });
  assertEquals(
    places({ "test.html": "\n{% module M() %}" }, { modules: { M: () => inner.generate() } }),
    ["inner.html:3", "test.html:2"],
  );
});

Deno.test("Template.generate() shows the lines of includes, from the inside out", () => {
  assertEquals(
    places({ "base.html": "{% include 'sub.html' %}", "sub.html": "{{ nobody }}" }),
    ["sub.html:1 (via base.html:1)"],
  );
  assertEquals(
    places({
      "a.html": "{% include 'b.html' %}",
      "b.html": "\n{% include 'c.html' %}",
      "c.html": "\n\n{{ nobody }}",
    }),
    ["c.html:3 (via b.html:2, a.html:1)"],
  );
});

Deno.test("Template.generate() shows the lines of a base and of its children", () => {
  assertEquals(
    places({ "sub.html": "{% extends 'base.html' %}", "base.html": "{{ nobody }}" }),
    ["base.html:1"],
  );
  assertEquals(
    places({
      "sub.html": "\n{% extends 'base.html' %}\n{% block x %}\n{{ nobody }}\n{% end %}",
      "base.html": "{% block x %}{% end %}",
    }),
    ["sub.html:4 (via base.html:1)"],
  );
  assertEquals(
    places({
      "sub.html": "{% extends 'base.html' %}",
      "base.html": "\n{% block x %}{{ nobody }}{% end %}",
    }),
    ["base.html:2"],
  );
});

Deno.test("Template.generate() shows its line where a deep stack is cut", () => {
  const dive = (depth: number): number => {
    if (depth === 0) throw new Error("deep");
    return dive(depth - 1) + 1;
  };
  assertEquals(places({ "test.html": "\n{{ dive(50) }}" }, { dive }), ["test.html:2"]);
});

Deno.test("Template.generate() lets errors through that have no stack to change", () => {
  const throwing = (thrown: unknown) => () =>
    new Template("{{ f() }}").generate({
      f() {
        throw thrown;
      },
    });
  try {
    throwing("text")();
    assert(false);
  } catch (error) {
    assertEquals(error, "text");
  }
  const frozen = Object.freeze(new Error("frozen"));
  assertStrictEquals(assertThrows(throwing(frozen), Error), frozen);
});

Deno.test("Template.generate() names templates of any name in stacks", () => {
  for (const name of ["a b.html", "ü\ud800.html", "a\nb.html", "a)(*/.html", "%.html"]) {
    const template = new Template("{{ nobody }}", { name });
    const { stack } = assertThrows(() => template.generate(), ReferenceError);
    assert(stack!.includes(`at ${name}:1\n`), stack);
  }
});

const PIECES =
  ("{{ |}}|{% |%}|{#|#}|{|}|(|)|[|]|`|${|'|\"|/|//|/*|*/|\n|=|,|.|...|=>|if|for|x|y|of|in|set|" +
    "end|else|try|catch|finally|while|raw|apply|block|break|continue|module M(|autoescape|1|\\|!|<!--|" +
    "-->|?|:|;|await|yield|function|class|let|return|é|\u2028|{% end %}|{{ x }}|{% if x %}|{% else %}|" +
    "{% try %}|{% catch %}|{% for x of y %}|++|-|?.| ").split("|");
const FRAMES = [
  "$",
  "{{ $ }}",
  "{% set $ %}{{ x }}",
  "{% for $ %}{% end %}",
  "{% if $ %}{% end %}",
  "{% apply $ %}{% end %}",
  "{% module M($) %}",
  "{% try %}{% catch $ %}{% end %}",
  "{% autoescape $ %}{{ x }}",
];

Deno.test("Template refuses what it cannot run, whatever it is made of", () => {
  let state = 20130428;
  const below = (limit: number) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return Math.floor(state / 0x80000000 * limit);
  };
  let compiled = 0;
  for (let i = 0; i < 4000; i++) {
    const pieces = Array.from({ length: 1 + below(7) }, () => PIECES[below(PIECES.length)]!);
    const source = FRAMES[below(FRAMES.length)]!.replace("$", () => pieces.join(""));
    let template: Template;
    try {
      template = new Template(source);
    } catch (error) {
      assert(error instanceof ParseError, `${JSON.stringify(source)}: ${error}`);
      continue;
    }
    compiled++;
    try {
      template.generate({ x: [], y: [] });
    } catch (error) {
      assert(!(error instanceof SyntaxError), `${JSON.stringify(source)}: ${error}`);
    }
  }
  assert(compiled > 100, `only ${compiled} compiled`);
});
