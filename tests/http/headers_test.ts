import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { HTTPInputError } from "../../http/errors.ts";
import { HTTPHeaders } from "../../http/headers.ts";

Deno.test("HTTPHeaders is case-insensitive and keeps names in Http-Header-Case", () => {
  const headers = new HTTPHeaders();
  headers.set("content-TYPE", "a");
  headers.add("WWW-authenticate", "b");
  headers.add("x--1y_z", "c");
  assertEquals([...headers.keys()], ["Content-Type", "Www-Authenticate", "X--1y_z"]);
  assertEquals(headers.get("CONTENT-type"), "a");
  assert(headers.has("content-type"));
});

Deno.test("HTTPHeaders() takes records, pairs, Headers and HTTPHeaders", () => {
  const expected = [["A", "1"], ["B", "2,3"]];
  const record = new HTTPHeaders({ a: "1", b: ["2", "3"] });
  assertEquals([...record], expected);
  assertEquals([...new HTTPHeaders([["a", "1"], ["b", "2"], ["b", "3"]])], expected);
  assertEquals([...new HTTPHeaders(record)], expected);
  assertEquals([...new HTTPHeaders(new Headers([["a", "1"], ["b", "2,3"]]))], expected);
  assertThrows(() => new HTTPHeaders({ a: "b\r\nc: d" }), TypeError);
});

Deno.test("HTTPHeaders() keeps the cookies of Headers apart", () => {
  const headers = new HTTPHeaders(new Headers([["Set-Cookie", "a=b"], ["Set-Cookie", "c=d"]]));
  assertEquals(headers.getList("set-cookie"), ["a=b", "c=d"]);
});

Deno.test("add() keeps several values apart, in order", () => {
  const headers = new HTTPHeaders();
  headers.add("Set-Cookie", "a=b");
  headers.add("Foo", "x");
  headers.add("set-cookie", "c=d");
  assertEquals(headers.get("Set-Cookie"), "a=b,c=d");
  assertEquals(headers.getList("SET-COOKIE"), ["a=b", "c=d"]);
  assertEquals([...headers.getAll()], [["Set-Cookie", "a=b"], ["Foo", "x"], ["Set-Cookie", "c=d"]]);
  assertEquals([...headers.entries()], [["Set-Cookie", "a=b,c=d"], ["Foo", "x"]]);
  assertEquals([...headers.values()], ["a=b,c=d", "x"]);
  assertEquals(headers.size, 2);
});

Deno.test("add() refuses names that are no token and control characters in values", () => {
  const headers = new HTTPHeaders();
  for (const name of ["", "a b", "a:", "é", "a\n", "(a)"]) {
    assertThrows(() => headers.add(name, "b"), HTTPInputError);
  }
  for (const value of ["\0", "a\rb", "a\nb", "\x08", "\x7f"]) {
    assertThrows(() => headers.add("a", value), HTTPInputError);
  }
  headers.add("a", "\t \x80\xff");
  assertEquals(headers.size, 1);
});

Deno.test("add() takes linear time for one name", () => {
  const headers = new HTTPHeaders();
  for (let i = 0; i < 100_000; i++) headers.add("Foo", "x");
  assertEquals(headers.getList("foo").length, 100_000);
  assertEquals(headers.get("foo")?.length, 199_999);
});

Deno.test("set() replaces all values in the place of the first", () => {
  const headers = new HTTPHeaders([["a", "1"], ["b", "2"], ["a", "3"], ["c", "4"], ["a", "5"]]);
  headers.set("A", "6");
  assertEquals([...headers.getAll()], [["A", "6"], ["B", "2"], ["C", "4"]]);
});

Deno.test("set() refuses what cannot be sent with TypeError", () => {
  const headers = new HTTPHeaders();
  assertThrows(() => headers.set("a b", "c"), TypeError);
  assertThrows(() => headers.set("a", "b\nc"), TypeError);
  assertEquals(headers.size, 0);
});

Deno.test("get() and getList() of a name that is not there give null, the default, none", () => {
  const headers = new HTTPHeaders();
  assertStrictEquals(headers.get("a"), null);
  assertStrictEquals(headers.get("a", "b"), "b");
  assertStrictEquals(headers.get("a", undefined), null);
  assertStrictEquals(headers.get("not a name"), null);
  assertEquals(headers.getList("a"), []);
});

Deno.test("delete() takes all values of a name away", () => {
  const headers = new HTTPHeaders([["a", "1"], ["b", "2"], ["a", "3"]]);
  assertEquals(headers.delete("A"), true);
  assertEquals(headers.delete("A"), false);
  assertEquals([...headers.getAll()], [["B", "2"]]);
});

Deno.test("pop() gives what it takes away", () => {
  const headers = new HTTPHeaders([["a", "1"], ["a", "2"]]);
  assertEquals(headers.pop("A"), "1,2");
  assertEquals(headers.pop("A"), null);
  assertEquals(headers.pop("A", "3"), "3");
});

Deno.test("setDefault() sets only what is not there", () => {
  const headers = new HTTPHeaders({ a: "1" });
  assertEquals(headers.setDefault("A", "2"), "1");
  assertEquals(headers.setDefault("B", "3"), "3");
  assertEquals([...headers], [["A", "1"], ["B", "3"]]);
});

Deno.test("update() replaces the names it is given and keeps the others", () => {
  const headers = new HTTPHeaders([["a", "1"], ["b", "2"], ["a", "3"]]);
  headers.update([["A", "4"], ["C", "5"], ["c", "6"]]);
  assertEquals([...headers.getAll()], [["B", "2"], ["A", "4"], ["C", "5"], ["C", "6"]]);
  assertThrows(() => headers.update({ b: "7", d: "\n" }), TypeError);
  assertEquals(headers.get("b"), "2");
});

Deno.test("update() of headers with themselves changes nothing", () => {
  const headers = new HTTPHeaders([["a", "1"], ["a", "2"]]);
  headers.update(headers);
  assertEquals(headers.getList("a"), ["1", "2"]);
});

Deno.test("parse() joins folded lines with one blank", () => {
  const text =
    "Foo: bar\r\n baz\r\nAsdf: qwer\r\n\tzxcv\r\nFoo: even\r\n     more\r\n     lines\r\n";
  for (const lines of [text, text.replaceAll("\r\n", "\n")]) {
    const headers = HTTPHeaders.parse(lines);
    assertEquals(headers.get("asdf"), "qwer zxcv");
    assertEquals(headers.getList("asdf"), ["qwer zxcv"]);
    assertEquals(headers.get("Foo"), "bar baz,even more lines");
    assertEquals(headers.getList("foo"), ["bar baz", "even more lines"]);
  }
});

Deno.test("parse() splits lines at LF only and trims blanks and tabs only", () => {
  for (const char of ["\x85", "\xa0", "\u2028", "\u2029", "\xad"]) {
    const headers = HTTPHeaders.parse(`Foo: ${char}a${char}b${char} \t\r\nBar: c\r\n`);
    assertEquals([...headers], [["Foo", `${char}a${char}b${char}`], ["Bar", "c"]]);
  }
});

Deno.test("parse() takes linear time for blanks inside a value", () => {
  const value = `a${" ".repeat(200_000)}b`;
  assertEquals(HTTPHeaders.parse(`Foo: ${value}\r\n`).get("Foo"), value);
});

Deno.test("parse() of toString() gives the same", () => {
  const headers = new HTTPHeaders([["a", "1"], ["b", ""], ["a", "2"]]);
  assertEquals(headers.toString(), "A: 1\nB: \nA: 2\n");
  assertEquals([...HTTPHeaders.parse(headers.toString()).getAll()], [...headers.getAll()]);
});

Deno.test("parseLine() takes lines with and without an end, and empty ones", () => {
  const headers = new HTTPHeaders();
  for (const line of ["A: 1", "B:2\r\n", "C:\n", "", "\r\n", "\n"]) headers.parseLine(line);
  assertEquals([...headers], [["A", "1"], ["B", "2"], ["C", ""]]);
});

Deno.test("parseLine() refuses a leading fold, no colon and control characters", () => {
  for (
    const line of [
      " a",
      "\ta: b",
      "foo",
      "a b: c",
      "a : b",
      ": b",
      "a: b\rc",
      "a: b\nc",
      "a: b\r\r\n",
      "a: \0",
    ]
  ) {
    assertThrows(() => new HTTPHeaders().parseLine(line), HTTPInputError);
  }
  const headers = new HTTPHeaders({ a: "b" });
  assertThrows(() => headers.parseLine(" c\0"), HTTPInputError);
});

Deno.test("copy() is independent", () => {
  const headers = new HTTPHeaders({ a: "1" });
  const copy = headers.copy();
  copy.add("a", "2");
  headers.set("b", "3");
  assertEquals([...headers], [["A", "1"], ["B", "3"]]);
  assertEquals([...copy], [["A", "1,2"]]);
});

Deno.test("fromBlock() gives the fields of a head, whatever is asked first", () => {
  const block = "host: a\r\nFOO:\tb \r\nEmpty:\r\nBlank:  \r\nFoo: c:d\r\n";
  const make = () => HTTPHeaders.fromBlock(block);
  assertEquals([...make()], [["Host", "a"], ["Foo", "b,c:d"], ["Empty", ""], ["Blank", ""]]);
  assertEquals(make().size, 4);
  assertEquals(make().get("Host"), "a");
  assertEquals(make().get("ost"), null);
  assertEquals(make().get("a"), null);
  assertEquals(make().get("Foo"), "b,c:d");
  assertEquals(make().has("EMPTY"), true);
  assertEquals(make().delete("Foo"), true);
  assertEquals([...make().copy().keys()], ["Host", "Foo", "Empty", "Blank"]);
  const headers = make();
  headers.set("Host", "x");
  headers.add("New", "y");
  assertEquals([...headers.keys()], ["Host", "Foo", "Empty", "Blank", "New"]);
  assertEquals(headers.get("host"), "x");
  assertEquals(HTTPHeaders.fromBlock("").size, 0);
});

Deno.test("names that peers invent do not grow memory without bound nor change results", () => {
  const headers = new HTTPHeaders();
  for (let i = 0; i < 3_000; i++) headers.add(`x-name-${i}`, "a");
  assertEquals(headers.size, 3_000);
  assert(headers.has("X-NAME-2999"));
});

Deno.test("toFetchHeaders() gives the same fields", () => {
  const fetchHeaders = new HTTPHeaders([["a", "1"], ["a", "2"], ["Set-Cookie", "b=c"]])
    .toFetchHeaders();
  assertEquals(fetchHeaders.get("A"), "1, 2");
  assertEquals(fetchHeaders.getSetCookie(), ["b=c"]);
});

Deno.test("Deno.inspect() of headers shows the fields", () => {
  assertStringIncludes(Deno.inspect(new HTTPHeaders({ a: "1" })), "A: 1");
});
