import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type HTTPFile,
  HTTPInputError,
  MultipartDecoder,
  type MultipartDecoderOptions,
  parseMultipartFormData,
} from "../../http/mod.ts";
import { seeded } from "../_seeded.ts";
import { bytesOf, cutsOf } from "./_cuts.ts";

type Seen = [name: string, filename: string, contentType: string, content: string][];

function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

// Whole, by the function for bodies that are there: values, then files.
function parseWhole(
  data: string,
  boundary: string,
  options?: MultipartDecoderOptions,
): Seen | null {
  const args: Record<string, Uint8Array[]> = {};
  const files: Record<string, HTTPFile[]> = {};
  try {
    parseMultipartFormData(boundary, bytesOf(data), args, files, options);
  } catch (error) {
    if (error instanceof HTTPInputError) return null;
    throw error;
  }
  return [
    ...Object.entries(args).flatMap(([name, values]) =>
      values.map((value) => [name, "", "", latin1(value)] as Seen[number])
    ),
    ...Object.entries(files).flatMap(([name, list]) =>
      list.map((file) => [name, file.filename, file.contentType, latin1(file.body)] as Seen[number])
    ),
  ];
}

function decode(
  data: string,
  cuts: readonly number[],
  boundary: string,
  options?: MultipartDecoderOptions,
): Seen | null {
  const seen: Seen = [];
  let open = false;
  try {
    const decoder = new MultipartDecoder(boundary, {
      partBegan({ name, filename, contentType }) {
        assert(!open);
        open = true;
        seen.push([name, filename, filename === "" ? "" : contentType, ""]);
      },
      partData(bytes) {
        assert(open && bytes.length > 0);
        seen.at(-1)![3] += latin1(bytes);
      },
      partEnded() {
        assert(open);
        open = false;
      },
    }, options);
    let at = 0;
    for (const cut of cuts) {
      const piece = bytesOf(data.slice(at, cut));
      decoder.push(piece);
      piece.fill(0); // it is the caller's again
      at = cut;
    }
    decoder.finish();
  } catch (error) {
    if (error instanceof HTTPInputError) return null;
    throw error;
  }
  assert(!open);
  return [...seen.filter(([, name]) => name === ""), ...seen.filter(([, name]) => name !== "")];
}

function part(content: string, disposition = 'form-data; name="a"'): string {
  return `--1234\r\nContent-Disposition: ${disposition}\r\n\r\n${content}\r\n`;
}

const FILE = 'form-data; name="f"; filename="b.txt"';
const CASES: Record<string, string> = {
  "a value": `${part("Foo")}--1234--\r\n`,
  "an empty value": `${part("")}--1234--`,
  "no line break between header and boundary": "--1234\r\n" +
    'Content-Disposition: form-data; name="a"\r\n\r\n--1234--\r\n',
  "values and files": part("x") + part("content", FILE) + part("y") + "--1234--",
  "two files of one name": part("1", FILE) + part("2", FILE) + "--1234--",
  "what looks like a boundary": part("\r\n--123\r\n--12345\r\n--1234x\r\n--1234-\r\n-\r\r\n--") +
    "--1234--",
  "blanks behind a boundary": `--1234 \t \r\nContent-Disposition: ${FILE}\r\n\r\nx\r\n--1234--  `,
  "text before and behind": `preamble --1234\r\n${part("x")}--1234--\r\n--1234\r\nmore`,
  "a preamble that is a line": `ignored\r\n--1234--x`,
  "a type":
    `--1234\r\nContent-Type: text/html\r\nContent-Disposition: ${FILE}\r\n\r\n<p>\r\n--1234--`,
  "no part": "--1234--\r\n",
  "binary content": part("\0\r\n\r\r\n\n-\xff--\x80", FILE) + "--1234--",
  // refused
  "nothing": "",
  "no boundary": "some text that is no form",
  "no end": part("x"),
  "a cut boundary": `${part("x")}--1234-`,
  "no header": "--1234\r\n\r\nx\r\n--1234--",
  "no disposition": "--1234\r\nContent-Type: a/b\r\n\r\nx\r\n--1234--",
  "another disposition": `${part("x", 'attachment; name="a"')}--1234--`,
  "no name": `${part("x", "form-data")}--1234--`,
  "a malformed header": "--1234\r\nContent Disposition: x\r\n\r\nx\r\n--1234--",
  "a header that is not UTF-8": `${part("x", 'form-data; name="\xff"')}--1234--`,
};

Deno.test("MultipartDecoder reads a form cut anywhere as one that is there whole", () => {
  for (const [name, data] of Object.entries(CASES)) {
    const expected = parseWhole(data, "1234");
    for (const cuts of cutsOf(data.length)) {
      assertEquals([name, cuts, decode(data, cuts, "1234")], [name, cuts, expected]);
    }
  }
});

Deno.test("MultipartDecoder reads and refuses what it should", () => {
  const names = Object.keys(CASES);
  const refused = names.filter((name) => parseWhole(CASES[name]!, "1234") === null);
  assertEquals(refused, names.slice(names.indexOf("nothing")));
});

Deno.test("MultipartDecoder reads what a random mix of its tokens is, as one that is there whole", () => {
  const tokens = [
    "\r\n",
    "--",
    "1234",
    "-",
    "\r",
    "\n",
    " ",
    "x",
    part("y"),
    "--1234--",
    "\r\n--1234",
  ];
  const random = seeded(7);
  for (let round = 0; round < 3000; round++) {
    let data = random(2) === 0 ? part("z") : "";
    for (let i = random(12); i >= 0; i--) data += tokens[random(tokens.length)];
    const cuts: number[] = [];
    for (let at = random(4) + 1; at < data.length; at += random(9) + 1) cuts.push(at);
    cuts.push(data.length);
    const expected = parseWhole(data, "1234");
    assertEquals([data, cuts, decode(data, cuts, "1234")], [data, cuts, expected]);
  }
});

Deno.test("MultipartDecoder heeds its limits", () => {
  const three = `${part("x").repeat(3)}--1234--`;
  const header = part("x").indexOf("\r\n\r\n") - "--1234\r\n".length;
  const cases: [MultipartDecoderOptions, boolean][] = [
    [{ maxParts: 3 }, true],
    [{ maxParts: 2 }, false],
    [{ maxPartHeaderSize: header }, true],
    [{ maxPartHeaderSize: header - 1 }, false],
  ];
  for (const [options, accepted] of cases) {
    for (const cuts of cutsOf(three.length)) {
      assertEquals([options, cuts, decode(three, cuts, "1234", options) !== null], [
        options,
        cuts,
        accepted,
      ]);
      assertEquals(parseWhole(three, "1234", options) !== null, accepted);
    }
  }
  const endless = new MultipartDecoder("1234", { partBegan() {}, partData() {}, partEnded() {} });
  endless.push(bytesOf("--1234\r\n"));
  assertThrows(
    () => {
      for (let i = 0; i < 11_000; i++) endless.push(bytesOf("x"));
    },
    HTTPInputError,
    "above 10240 bytes",
  );
});

Deno.test("MultipartDecoder reads long headers that come byte by byte, one after the other", () => {
  const seen: string[] = [];
  const decoder = new MultipartDecoder("1234", {
    partBegan: ({ name }) => seen.push(name),
    partData: (bytes) => seen.push(latin1(bytes)),
    partEnded: () => seen.push("end"),
  });
  const names = ["a", "b", "c"].map((letter) => letter.repeat(9_000));
  const form = names.map((name) =>
    `--1234\r\nContent-Disposition: form-data; name="${name}"\r\n\r\nx\r\n`
  );
  for (const byte of bytesOf(`${form.join("")}--1234--`)) decoder.push(Uint8Array.of(byte));
  decoder.finish();
  assertEquals(seen, names.flatMap((name) => [name, "x", "end"]));
});

Deno.test("MultipartDecoder takes a boundary of 1 to 70 bytes, with or without quotes", () => {
  const data = (boundary: string) => part("x").replace("1234", boundary) + `--${boundary}--`;
  for (const boundary of ["a", "b".repeat(70), "a b:c"]) {
    assertEquals(decode(data(boundary), [999], boundary)?.length, 1);
    assertEquals(decode(data(boundary), [999], `"${boundary}"`)?.length, 1);
  }
  for (const boundary of ["", '""', "b".repeat(71)]) assertEquals(decode("", [0], boundary), null);
});

Deno.test("MultipartDecoder passes content on before the part ends, holding back a line at most", () => {
  let came = 0;
  const decoder = new MultipartDecoder("1234", {
    partBegan() {},
    partData: (bytes) => came += bytes.length,
    partEnded() {},
  });
  decoder.push(bytesOf(part("").slice(0, -2)));
  for (let i = 1; i <= 100; i++) {
    decoder.push(new Uint8Array(1000));
    assert(came >= i * 1000 - 10);
  }
});

Deno.test("MultipartDecoder refuses everything once it refused something", () => {
  const decoder = new MultipartDecoder("1234", { partBegan() {}, partData() {}, partEnded() {} });
  assertThrows(() => decoder.push(bytesOf("--1234\r\nbad\r\n\r\n")), HTTPInputError);
  assertThrows(() => decoder.push(bytesOf("--1234--")), HTTPInputError, "it was refused before");
  assertThrows(() => decoder.finish(), HTTPInputError);
});
