import { assertEquals, assertThrows } from "@std/assert";
import { reUnescape } from "../../ioloop/mod.ts";

Deno.test("reUnescape() undoes the escaping of punctuation", () => {
  const cases: Record<string, string> = {
    "": "",
    "plain": "plain",
    "/a\\.b/\\(x\\)": "/a.b/(x)",
    "\\\\": "\\",
    "\\\\d": "\\d",
    "a\\\nb": "a\nb",
    "\\ \\_\\é\\😀": " _é😀",
  };
  for (const [source, text] of Object.entries(cases)) assertEquals(reUnescape(source), text);
});

Deno.test("reUnescape() gives back every printable character but letters and digits", () => {
  for (let code = 0x20; code < 0x7f; code++) {
    const char = String.fromCharCode(code);
    if (!/[A-Za-z0-9]/.test(char)) assertEquals(reUnescape(`a\\${char}b`), `a${char}b`);
  }
});

Deno.test("reUnescape() refuses escaped letters and digits", () => {
  for (const source of ["\\d", "a\\bc", "\\w+", "\\Z", "\\1", "\\\\\\d"]) {
    assertThrows(() => reUnescape(source), TypeError, "stands for no single text");
  }
});
