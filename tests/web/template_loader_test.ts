import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { BaseLoader, DictLoader, Loader, ParseError, Template } from "../../web/template/mod.ts";

/** Runs `body` with a directory that holds `files`, beside a file outside of it. */
async function withFiles(
  files: Record<string, string>,
  body: (directory: string) => void | Promise<void>,
): Promise<void> {
  const top = await Deno.makeTempDir();
  try {
    const directory = `${top}/templates`;
    await Deno.writeTextFile(`${top}/outside.html`, "secret");
    for (const [name, text] of Object.entries({ "keep.html": "", ...files })) {
      const path = `${directory}/${name}`;
      await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      await Deno.writeTextFile(path, text);
    }
    await body(directory);
  } finally {
    await Deno.remove(top, { recursive: true });
  }
}

// Not Deno.symlink(): that needs to write everywhere.
async function link(target: string, path: string): Promise<void> {
  const { success } = await new Deno.Command("ln", { args: ["-s", target, path] }).output();
  assert(success);
}

Deno.test("Loader takes files, and resolves names against the including file", () =>
  withFiles({
    "index.html": "index {% include 'sub/list.html' %}",
    "sub/list.html": "list {% include 'item.html' %} {% include '../foot.html' %}",
    "sub/item.html": "item {% include '/foot.html' %}",
    "foot.html": "foot",
  }, (directory) => {
    const loader = new Loader(directory);
    assertEquals(loader.load("index.html").generate(), "index list item foot foot");
    assertEquals(loader.load("/sub/item.html").generate(), "item foot");
    assertEquals(loader.resolvePath("x.html", "sub/list.html"), "sub/x.html");
    assertEquals(loader.resolvePath("x.html", "<string>"), "x.html");
    assertEquals(loader.resolvePath("x.html"), "x.html");
  }));

Deno.test("Loader takes a relative directory", () => {
  const loader = new Loader("docs/../docs");
  assert(loader.root.endsWith("docs") && !loader.root.includes(".."), loader.root);
});

Deno.test("Loader never reads outside of its directory", () =>
  withFiles({
    "include.html": "\n{% include '../outside.html' %}",
    "extend.html": "{% extends '../outside.html' %}",
    "sub/deep.html": "{% include '../../outside.html' %}",
  }, (directory) => {
    const loader = new Loader(directory);
    const outside = "it is outside of the directory of templates";
    for (
      const name of [
        "../outside.html",
        "sub/../../outside.html",
        "..",
        ".",
        "",
        "/",
      ]
    ) {
      assertThrows(() => loader.load(name), TypeError, outside);
    }
    const { message } = assertThrows(() => loader.load("include.html"), ParseError, outside);
    assert(message.endsWith(" at include.html:2"), message);
    assertThrows(() => loader.load("extend.html"), ParseError, outside);
    assertThrows(() => loader.load("sub/deep.html"), ParseError, outside);
    // What begins with a slash begins at the directory.
    assertThrows(() => loader.load(`${directory}/keep.html`), Deno.errors.NotFound);
    assertThrows(() => loader.load(`${directory}/../outside.html`), Deno.errors.NotFound);
    assertThrows(() => loader.load("/../outside.html"), Deno.errors.NotFound);
  }));

Deno.test("Loader follows links inside its directory only", () =>
  withFiles({ "a.html": "a" }, async (directory) => {
    await link(`${directory}/a.html`, `${directory}/inside.html`);
    await link(`${directory}/../outside.html`, `${directory}/outside.html`);
    await link(directory, `${directory}/../linked`);
    const loader = new Loader(`${directory}/../linked`);
    assertEquals(loader.load("inside.html").generate(), "a");
    assertThrows(() => loader.load("outside.html"), TypeError, "it is outside");
  }));

Deno.test("Loader reads a file when it is first needed, and again after reset()", () =>
  withFiles({ "a.html": "{% include 'b.html' %}", "b.html": "one" }, (directory) => {
    const loader = new Loader(directory);
    const template = loader.load("a.html");
    assertEquals(template.generate(), "one");
    Deno.writeTextFileSync(`${directory}/b.html`, "two");
    assertStrictEquals(loader.load("a.html"), template);
    assertEquals(loader.load("a.html").generate(), "one");
    loader.reset();
    assertEquals(loader.load("a.html").generate(), "two");
  }));

Deno.test("Loader fails for a file that is not there, and finds it once it is", () =>
  withFiles({}, (directory) => {
    const loader = new Loader(directory);
    assertThrows(() => loader.load("a.html"), Deno.errors.NotFound);
    Deno.writeTextFileSync(`${directory}/a.html`, "a");
    assertEquals(loader.load("a.html").generate(), "a");
  }));

Deno.test("Loader takes another version of a template that was wrong", () =>
  withFiles({ "a.html": "{{" }, (directory) => {
    const loader = new Loader(directory);
    assertThrows(() => loader.load("a.html"), ParseError);
    Deno.writeTextFileSync(`${directory}/a.html`, "a");
    assertEquals(loader.load("a.html").generate(), "a");
  }));

Deno.test("DictLoader resolves names as paths, and has those of its record only", () => {
  const loader = new DictLoader({ "a/b.html": "{% include '../c.html' %}", "c.html": "c" });
  assertEquals(loader.load("a/b.html").generate(), "c");
  assertEquals(loader.resolvePath("/c.html", "a/b.html"), "/c.html");
  for (const name of ["d.html", "toString", "../c.html"]) {
    assertThrows(() => loader.load(name), Error, `Cannot load ${name}: there is no such template`);
  }
});

Deno.test("BaseLoader keeps what createTemplate() makes, by the path of resolvePath()", () => {
  const made: string[] = [];
  class Numbers extends BaseLoader {
    override resolvePath(name: string): string {
      return name.toLowerCase();
    }
    override createTemplate(name: string): Template {
      made.push(name);
      return new Template(name === "all" ? "{% include ONE %}{% include two %}" : `<${name}>`, {
        name,
        loader: this,
      });
    }
  }
  const loader = new Numbers();
  assertEquals(loader.load("ALL").generate(), "<one><two>");
  assertEquals(loader.load("One").generate(), "<one>");
  assertEquals(made, ["all", "one", "two"]);
  loader.reset();
  loader.load("two");
  assertEquals(made, ["all", "one", "two", "two"]);
});

Deno.test("BaseLoader has defaults for all that its templates have in common", () => {
  const { autoescape, namespace, whitespace, modules } = new DictLoader({});
  assertEquals([autoescape, namespace, whitespace, modules], ["xhtmlEscape", {}, null, {}]);
});
