import { assert, assertEquals, assertThrows } from "@std/assert";
import { HTTPInputError } from "../../http/errors.ts";
import {
  type HTTPFile,
  type ParseMultipartConfig,
  parseMultipartFormData,
} from "../../http/multipart.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

interface Form {
  args: Record<string, string[]>;
  files: Record<string, [filename: string, contentType: string, body: string][]>;
}

// Lines end in CRLF, the last one too.
function parse(
  data: string | Uint8Array,
  boundary: string | Uint8Array = "1234",
  config?: ParseMultipartConfig,
): Form {
  const args: Record<string, Uint8Array[]> = {};
  const files: Record<string, HTTPFile[]> = {};
  const bytes = typeof data === "string" ? encoder.encode(data.replaceAll("\n", "\r\n")) : data;
  try {
    parseMultipartFormData(boundary, bytes, args, files, config);
  } catch (error) {
    assertEquals([args, files], [{}, {}], "half filled");
    throw error;
  }
  return {
    args: Object.fromEntries(
      Object.entries(args).map(([name, values]) => [name, values.map((v) => decoder.decode(v))]),
    ),
    files: Object.fromEntries(
      Object.entries(files).map(([name, list]) => [
        name,
        list.map((
          { filename, contentType, body },
        ) => [filename, contentType, decoder.decode(body)]),
      ]),
    ),
  };
}

function part(disposition: string, body = "Foo"): string {
  return `--1234\nContent-Disposition: ${disposition}\n\n${body}\n`;
}

function refuse(data: string | Uint8Array, boundary?: string, config?: ParseMultipartConfig): void {
  assertThrows(() => parse(data, boundary, config), HTTPInputError);
}

Deno.test("parseMultipartFormData() reads fields and files", () => {
  const form = parse(
    part('form-data; name="files"; filename="ab.txt"') +
      part('form-data; name="a"', "x\n--123\n--12345\ny") +
      part('form-data; name="a"', "") +
      "--1234\nContent-Type: text/html\nContent-Disposition: form-data; name=files; filename=c\n\n<p>\n--1234--\n",
  );
  assertEquals(form.args, { a: ["x\r\n--123\r\n--12345\r\ny", ""] });
  assertEquals(form.files, {
    files: [["ab.txt", "application/unknown", "Foo"], ["c", "text/html", "<p>"]],
  });
});

Deno.test("parseMultipartFormData() takes names without quotes and a quoted boundary", () => {
  const data = `${part("form-data; name=files; filename=ab.txt")}--1234--\n`;
  for (const boundary of ["1234", '"1234"', encoder.encode("1234")]) {
    assertEquals(parse(data, boundary).files, {
      files: [["ab.txt", "application/unknown", "Foo"]],
    });
  }
});

Deno.test("parseMultipartFormData() passes over what is outside the boundaries", () => {
  const data = `preamble--1234\nx\n${part("form-data; name=a")}--1234-- \nepilogue\n${
    part("form-data; name=b")
  }--1234--`;
  assertEquals(parse(data).args, { a: ["Foo"] });
});

Deno.test("parseMultipartFormData() takes blanks behind a boundary and a body that is left out", () => {
  assertEquals(parse("--1234 \t\nContent-Disposition: form-data; name=a\n\n--1234--").args, {
    a: [""],
  });
});

Deno.test("parseMultipartFormData() reads file names of every kind", () => {
  for (
    const name of [
      "a;b.txt",
      'a"b.txt',
      'a";b.txt',
      'a;"b.txt',
      'a";";.txt',
      'a\\"b.txt',
      "a\\b.txt",
      "a\tb.txt",
      "áb.txt",
    ]
  ) {
    const quoted = name.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
    const form = parse(`${part(`form-data; name="files"; filename="${quoted}"`)}--1234--`);
    assertEquals(form.files["files"]?.[0]?.[0], name);
  }
});

Deno.test("parseMultipartFormData() reads a file name with an unescaped backslash", () => {
  const form = parse(`${part('form-data; name="f"; filename="C:\\dir\\x.txt"')}--1234--`);
  assertEquals(form.files["f"]?.[0]?.[0], "C:\\dir\\x.txt");
});

Deno.test("parseMultipartFormData() reads an extended file name", () => {
  const form = parse(
    `${part(`form-data; name="f"; filename="ab.txt"; filename*=UTF-8''%C3%A1b.txt`)}--1234--`,
  );
  assertEquals(form.files["f"]?.[0]?.[0], "áb.txt");
});

Deno.test("parseMultipartFormData() takes an empty file name for a field", () => {
  assertEquals(parse(`${part('form-data; name="f"; filename=""', "")}--1234--`), {
    args: { f: [""] },
    files: {},
  });
});

Deno.test("parseMultipartFormData() gives bytes as they are", () => {
  const head = encoder.encode("--b\r\nContent-Disposition: form-data; name=f; filename=x\r\n\r\n");
  const body = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  const data = Uint8Array.of(...head, ...body, ...encoder.encode("\r\n--b--"));
  const files: Record<string, HTTPFile[]> = {};
  parseMultipartFormData("b", data, {}, files);
  assertEquals(files["f"]![0]!.body, body);
});

Deno.test("parseMultipartFormData() refuses malformed bodies and adds nothing", () => {
  const good = part('form-data; name="good"');
  const end = "--1234--\n";
  refuse("");
  refuse(good);
  refuse(good + "--1234");
  refuse(good + "--1234-");
  refuse(`${good}--1234\n\nFoo\n${end}`);
  refuse(`${good}--1234\nFoo\n${end}`);
  refuse(`${good}--1234\nContent-Type: text/plain\n\nFoo\n${end}`);
  refuse(good + part('invalid; name="files"; filename="ab.txt"') + end);
  refuse(good + part('form-data; filename="ab.txt"') + end);
  refuse(`${good}--1234\nContent-Disposition: form-data; name="a"\n\nFoo--1234--`);
  refuse(`${good}--1234\nContent-Disposition: form-data; name="a"\nx y: z\n\nFoo\n${end}`);
  for (const char of ["\r", "\0", "\b", "\x7f"]) {
    refuse(good + part(`form-data; name="a"; filename="a${char}b"`) + end);
  }
  refuse(Uint8Array.of(
    ...encoder.encode('--1234\r\nContent-Disposition: form-data; name="'),
    0xff,
    ...encoder.encode('"\r\n\r\nFoo\r\n--1234--'),
  ));
});

Deno.test("parseMultipartFormData() refuses boundaries that are empty or above 70 bytes", () => {
  refuse("----", "");
  refuse(`--${"b".repeat(71)}--`, "b".repeat(71));
  assertEquals(parse(`--${"b".repeat(70)}--`, "b".repeat(70)), { args: {}, files: {} });
});

Deno.test("parseMultipartFormData() refuses more than maxParts parts", () => {
  const data = part("form-data; name=a").repeat(3) + "--1234--";
  assertEquals(parse(data, "1234", { maxParts: 3 }).args["a"]?.length, 3);
  refuse(data, "1234", { maxParts: 2 });
  refuse(part("form-data; name=a").repeat(101) + "--1234--");
});

Deno.test("parseMultipartFormData() refuses part headers above maxPartHeaderSize", () => {
  const size = "Content-Disposition: form-data; name=a".length;
  const data = part("form-data; name=a") + "--1234--";
  assertEquals(parse(data, "1234", { maxPartHeaderSize: size }).args, { a: ["Foo"] });
  refuse(data, "1234", { maxPartHeaderSize: size - 1 });
});

Deno.test("parseMultipartFormData() refuses everything when disabled", () => {
  refuse(part("form-data; name=a") + "--1234--", "1234", { enabled: false });
});

Deno.test("parseMultipartFormData() takes linear time", () => {
  const start = performance.now();
  for (const filler of ["x--1234", "\n--1234", "\n--1234x", "\n", "-", "--1234 "]) {
    refuse(part("form-data; name=a", filler.repeat(200_000)));
  }
  refuse(part("form-data; name=a", `x${"-".repeat(2_000_000)}`), "-".repeat(70));
  assert(performance.now() - start < 10_000);
});
