import { assertEquals } from "@std/assert";
import { qsToQsl, splitHostAndPort, urlConcat } from "../../http/url.ts";

Deno.test("urlConcat() appends to any kind of query", () => {
  const args: [string, string][] = [["y", "y"], ["z", "z"]];
  for (
    const [url, expected] of [
      ["https://localhost/path", "https://localhost/path?y=y&z=z"],
      ["https://localhost/path?", "https://localhost/path?y=y&z=z"],
      ["https://localhost/path?x", "https://localhost/path?x=&y=y&z=z"],
      ["https://localhost/path?x&", "https://localhost/path?x=&y=y&z=z"],
      ["https://localhost/path?a=1&b=2", "https://localhost/path?a=1&b=2&y=y&z=z"],
      ["https://localhost/path?a=1&b=2&", "https://localhost/path?a=1&b=2&y=y&z=z"],
      ["https://localhost/path?r=1&t=%20", "https://localhost/path?r=1&t=%20&y=y&z=z"],
      ["https://localhost/path#tab?a", "https://localhost/path?y=y&z=z#tab?a"],
      ["https://localhost/path?x=y#tab", "https://localhost/path?x=y&y=y&z=z#tab"],
    ] as const
  ) assertEquals(urlConcat(url, args), expected);
});

Deno.test("urlConcat() takes repeated names, records, numbers and encodes", () => {
  assertEquals(urlConcat("/p", [["y", "1"], ["y", "2"]]), "/p?y=1&y=2");
  assertEquals(
    urlConcat("/p?y=0", { y: ["1", 2], "a b": "&=é" }),
    "/p?y=0&y=1&y=2&a+b=%26%3D%C3%A9",
  );
});

Deno.test("urlConcat() leaves the URL alone without arguments", () => {
  assertEquals(urlConcat("/p?a&&#f", null), "/p?a&&#f");
  assertEquals(urlConcat("/p?a&&#f", undefined), "/p?a&&#f");
  assertEquals(urlConcat("/p?r=1&t=2", []), "/p?r=1&t=2");
  assertEquals(urlConcat("/p", {}), "/p");
});

Deno.test("splitHostAndPort() parts the port and keeps IPv6 brackets", () => {
  assertEquals(splitHostAndPort("example.com"), ["example.com", null]);
  assertEquals(splitHostAndPort("example.com:80"), ["example.com", 80]);
  assertEquals(splitHostAndPort("[::1]"), ["[::1]", null]);
  assertEquals(splitHostAndPort("[::1]:8080"), ["[::1]", 8080]);
  assertEquals(splitHostAndPort("::1"), ["::1", null]);
  assertEquals(splitHostAndPort("a:"), ["a:", null]);
});

Deno.test("qsToQsl() gives a pair for every value", () => {
  assertEquals([...qsToQsl({ a: [1, 2], b: [], c: [3] })], [["a", 1], ["a", 2], ["c", 3]]);
});
