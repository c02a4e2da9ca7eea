import { assertEquals, assertThrows } from "@std/assert";
import {
  DictLoader,
  filterWhitespace,
  Template,
  type WhitespaceMode,
} from "../../web/template/mod.ts";

Deno.test("filterWhitespace() treats runs as the mode says", () => {
  const text = " a \t b\n \n\t c \r\n d\u00a0 e ";
  assertEquals(filterWhitespace("all", text), text);
  assertEquals(filterWhitespace("single", text), " a b\nc\nd\u00a0 e ");
  assertEquals(filterWhitespace("oneline", text), " a b c d e ");
  assertEquals(filterWhitespace("single", ""), "");
  assertThrows(() => filterWhitespace("few" as WhitespaceMode, ""), TypeError, 'got "few"');
});

Deno.test("Template treats white space by the name of its file", () => {
  const loader = new DictLoader({
    "a.html": "   \n\t\n asdf\t   ",
    "a.js": " a\n\n b",
    "a.txt": " a\n\n b",
  });
  assertEquals(loader.load("a.html").generate(), "\nasdf ");
  assertEquals(loader.load("a.js").generate(), " a\nb");
  assertEquals(loader.load("a.txt").generate(), " a\n\n b");
  assertEquals(new Template(" a\n\n b").generate(), " a\n\n b");
});

Deno.test("Template treats white space as its loader says, or as it is told itself", () => {
  const text = " \n  a  b\n";
  const load = (whitespace: WhitespaceMode) =>
    new DictLoader({ "a.html": text, "a.txt": text }, { whitespace });
  for (const name of ["a.html", "a.txt"]) {
    assertEquals(load("all").load(name).generate(), text);
    assertEquals(load("single").load(name).generate(), "\na b\n");
    assertEquals(load("oneline").load(name).generate(), " a b ");
  }
  assertEquals(
    new Template(text, { whitespace: "oneline", loader: load("all") }).generate(),
    " a b ",
  );
});

Deno.test("{% whitespace %} counts to the next one, in its file", () => {
  assertEquals(
    new Template("{% whitespace oneline %}\n  a\n b{% whitespace all %}\n  c").generate(),
    " a b\n  c",
  );
  const loader = new DictLoader({
    "a.html": "{% whitespace oneline %}\n\n{% include 'b.html' %}\n\n{% include 'c.txt' %}\n",
    "b.html": "b\n\n b",
    "c.txt": "c\n\n c",
  });
  assertEquals(loader.load("a.html").generate(), " b\nb c\n\n c ");
});

Deno.test("Template leaves text with preformatted parts as it is", () => {
  const text = "  <pre>\n\n  a</pre>  ";
  assertEquals(new Template(text, { whitespace: "oneline" }).generate(), text);
  assertEquals(
    new Template(`${text}{{ x }}  b`, { whitespace: "oneline" }).generate({ x: "   " }),
    `${text}    b`,
  );
});

Deno.test("Template prints nothing for line breaks inside tags", () => {
  assertEquals(new Template("{%\n\n if\n true %}a{{\n1\n}}{%\nend %}{#\n#}").generate(), "a1");
});
