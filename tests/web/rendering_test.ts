import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { appLog, Future } from "../../ioloop/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import {
  type BaseLoader,
  DictLoader,
  getLocale,
  loadTranslations,
  type Locale,
  RequestHandler,
  setDefaultLocale,
  UIModule,
} from "../../web/mod.ts";
import { serve } from "./_serve.ts";

/** Renders `page.html` with the arguments of its route. */
class Page extends RequestHandler {
  #args: object = {};

  override initialize(args: object = {}): void {
    this.#args = args;
  }
  override get(): void {
    this.render("page.html", this.#args);
  }
}

/** Runs `body` with a directory that holds these files. */
async function withFiles(
  files: Record<string, string>,
  body: (directory: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${directory}/${name}`, text);
    }
    await body(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("RequestHandler.render() finishes the answer with a page of the template path", () =>
  withFiles(
    { "page.html": "<p>{{ x }}</p>" },
    (templatePath) =>
      serve([["/", Page, { x: "é <" }]], async ({ get }) => {
        const { status, headers, text } = await get("/");
        assertEquals([status, text], [200, "<p>é &lt;</p>"]);
        assertEquals(headers.get("Content-Type"), "text/html; charset=UTF-8");
      }, { templatePath }),
  ));

Deno.test("RequestHandler.render() adds to what was written, and is done when it is sent", async () => {
  let isSent = false;
  class Main extends RequestHandler {
    override *get() {
      this.write("first ");
      const sent = this.render("page.html");
      assert(sent instanceof Future);
      yield sent;
      isSent = true;
    }
  }
  await serve([["/", Main]], async ({ get }) => {
    assertEquals((await get("/")).text, "first page");
    assert(isSent);
  }, { templateLoader: new DictLoader({ "page.html": "page" }) });
});

Deno.test("RequestHandler.render() after finish() throws", () => {
  class Main extends RequestHandler {
    override get(): void {
      this.finish("done");
      assertThrows(() => this.render("page.html"), Error, "Cannot render: the answer was finished");
    }
  }
  return serve([["/", Main]], async ({ get }) => {
    assertEquals((await get("/")).text, "done");
  });
});

Deno.test("RequestHandler.render() of a template that fails answers 500 and logs its place", () =>
  serve([["/", Page], [
    "/none",
    class extends Page {
      override get(): void {
        this.render("none.html");
      }
    },
  ]], async ({ get }) => {
    await expectLog(appLog, /nobody is not defined\n +at page\.html:2/, async () => {
      assertEquals((await get("/")).status, 500);
    });
    await expectLog(appLog, /Cannot load none\.html/, async () => {
      assertEquals((await get("/none")).status, 500);
    });
  }, { templateLoader: new DictLoader({ "page.html": "\n{{ nobody }}" }) }));

Deno.test("RequestHandler.renderString() returns the output and sends nothing", async () => {
  class Main extends RequestHandler {
    override get(): void {
      const one = this.renderString("page.html", { x: 1 });
      this.write({ one, two: this.renderString("page.html", { x: 2 }) });
    }
  }
  await serve([["/", Main]], async ({ get }) => {
    assertEquals(JSON.parse((await get("/")).text), { one: "<1>", two: "<2>" });
  }, { templateLoader: new DictLoader({ "page.html": "<{{ x }}>" }) });
});

Deno.test("RequestHandler.getTemplateNamespace() has what pages need", () => {
  class Main extends RequestHandler {
    override getCurrentUser() {
      return "Ada";
    }
    override get(): void {
      this.render("page.html");
    }
  }
  const source = [
    "{{ handler.getStatus() }}",
    "{{ request.method }}",
    "{{ currentUser }}",
    "{{ locale.code }}",
    "{{ _('school') }}",
    "{{ _('one', 'many', 2) }}",
    "{{ pgettext('law', 'right') }}",
    "{{ reverseUrl('item', 7) }}",
    "{{ staticUrl('rendering_test.ts', { includeVersion: false }) }}",
    "{{ xsrfFormHtml().length > 40 }}",
    "{{ typeof modules.Template }}",
  ].join(" ");
  return serve([["/", Main], ["/item/(\\d+)", Main, undefined, "item"]], async ({ get }) => {
    assertEquals(
      (await get("/")).text,
      "200 GET Ada en_US school many right /item/7 /static/rendering_test.ts true function",
    );
  }, {
    templateLoader: new DictLoader({ "page.html": source }),
    staticPath: dirname(fileURLToPath(import.meta.url)),
  });
});

Deno.test("RequestHandler.getTemplateNamespace() can be overridden, and its names by arguments", () => {
  class Main extends RequestHandler {
    override getTemplateNamespace() {
      return { ...super.getTemplateNamespace(), extra: 1, locale: "mine" };
    }
    override get(): void {
      this.render("page.html", { request: 2, _: 3, modules: 4, currentUser: 5 });
    }
  }
  class Entry extends UIModule {
    override render = () => "entry";
  }
  return serve([["/", Main]], async ({ get }) => {
    assertEquals((await get("/")).text, "1 mine 2 3 4 5 entry /");
  }, {
    templateLoader: new DictLoader({
      "page.html":
        "{{ extra }} {{ locale }} {{ request }} {{ _ }} {{ modules }} {{ currentUser }} " +
        "{% module Entry() %} {{ handler.request.path }}",
    }),
    uiModules: { Entry },
  });
});

Deno.test("RequestHandler.currentUser and locale are asked for once, by pages that use them", async () => {
  const asked: string[] = [];
  class Main extends RequestHandler {
    override getCurrentUser() {
      asked.push("user");
      return "Ada";
    }
    override getUserLocale() {
      asked.push("locale");
      return null;
    }
    override get(name: string): void {
      this.render(`${name}.html`);
    }
  }
  class Plain extends UIModule {
    override render = () => "plain";
  }
  class User extends UIModule {
    override render = () => `${this.currentUser} ${this.locale.code}`;
  }
  const settings = {
    templateLoader: new DictLoader({
      "plain.html": "{% module Plain() %}",
      "user.html": "{{ currentUser }} {{ currentUser }} {{ locale.code }} {{ _('a') }}",
      "module.html": "{% module User() %} {% module User() %}",
    }),
    uiModules: { Plain, User },
  };
  await serve([["/(.*)", Main]], async ({ get }) => {
    assertEquals((await get("/plain")).text, "plain");
    assertEquals(asked, []);
    assertEquals((await get("/user")).text, "Ada Ada en_US a");
    assertEquals(asked.splice(0).sort(), ["locale", "user"]);
    assertEquals((await get("/module")).text, "Ada en_US Ada en_US");
    assertEquals(asked, ["user", "locale"]);
  }, settings);
});

Deno.test("RequestHandler.currentUser and locale that prepare() sets are used, and nobody is asked", () => {
  class Main extends RequestHandler {
    override *prepare() {
      yield null;
      this.currentUser = "Ada";
      this.locale = { code: "xx" } as Locale;
    }
    override getCurrentUser(): never {
      throw new Error("asked for the user");
    }
    override getUserLocale(): never {
      throw new Error("asked for the locale");
    }
    override get(): void {
      this.render("page.html");
    }
  }
  return serve([["/", Main]], async ({ get }) => {
    assertEquals((await get("/")).text, "Ada xx");
  }, { templateLoader: new DictLoader({ "page.html": "{{ currentUser }} {{ locale.code }}" }) });
});

Deno.test("RequestHandler.getTemplatePath() is the setting, else the directory of the program", () => {
  const paths: string[] = [];
  class Main extends RequestHandler {
    override get(): void {
      paths.push(this.getTemplatePath());
    }
  }
  return serve([["/", Main]], async ({ get }) => {
    await get("/");
    assertEquals(paths, [dirname(fileURLToPath(Deno.mainModule))]);
  });
});

Deno.test("RequestHandler.getTemplatePath() may differ between handlers", () =>
  withFiles(
    { "page.html": "one" },
    (one) =>
      withFiles({ "page.html": "two" }, (two) =>
        serve([["/1", Page], [
          "/2",
          class extends Page {
            override getTemplatePath(): string {
              return two;
            }
          },
        ]], async ({ get }) => {
          assertEquals([(await get("/1")).text, (await get("/2")).text], ["one", "two"]);
        }, { templatePath: one })),
  ));

Deno.test("RequestHandler.createTemplateLoader() is called once for a path", async () => {
  const made: string[] = [];
  class Main extends Page {
    override getTemplatePath(): string {
      return this.request.path;
    }
    override createTemplateLoader(path: string): BaseLoader {
      made.push(path);
      return new DictLoader({ "page.html": `${path} {{ x }}` });
    }
  }
  await serve([["/own", Main, { x: 1 }], ["/other", Main, { x: 2 }]], async ({ get }) => {
    for (let i = 0; i < 3; i++) {
      assertEquals((await get("/own")).text, "/own 1");
      assertEquals((await get("/other")).text, "/other 2");
    }
    assertEquals(made, ["/own", "/other"]);
  });
});

Deno.test("Application settings autoescape and templateWhitespace go to the loader", () =>
  withFiles({ "page.html": " {{ x }}  \n" }, async (templatePath) => {
    const textWith = async (settings: object) => {
      let text = "";
      await serve([["/", Page, { x: "<" }]], async ({ get }) => {
        text = (await get("/")).text;
      }, { templatePath, ...settings });
      return text;
    };
    assertEquals(await textWith({}), " &lt;\n");
    assertEquals(await textWith({ autoescape: null }), " <\n");
    assertEquals(await textWith({ autoescape: "xhtml_escape" }), " &lt;\n");
    assertEquals(
      await textWith({
        autoescape: "mine",
        uiMethods: { mine: (_: unknown, s: string) => `(${s})` },
      }),
      " (<)\n",
    );
    assertEquals(await textWith({ templateWhitespace: "all" }), " &lt;  \n");
    const templateLoader = new DictLoader({ "page.html": "mine {{ x }}" });
    assertEquals(await textWith({ templateLoader, autoescape: null }), "mine &lt;");
  }));

Deno.test("Application settings compiledTemplateCache and debug say when files are read again", () =>
  withFiles({ "page.html": "one" }, async (templatePath) => {
    const path = `${templatePath}/page.html`;
    const textsWith = async (settings: object) => {
      const texts: string[] = [];
      await Deno.writeTextFile(path, "one");
      await serve([["/", Page]], async ({ get }) => {
        texts.push((await get("/")).text);
        await Deno.writeTextFile(path, "two");
        texts.push((await get("/")).text);
      }, { templatePath, ...settings });
      return texts;
    };
    assertEquals(await textsWith({}), ["one", "one"]);
    assertEquals(await textsWith({ compiledTemplateCache: false }), ["one", "two"]);
    assertEquals(await textsWith({ debug: true, autoreload: false }), ["one", "two"]);
    assertEquals(
      await textsWith({ debug: true, autoreload: false, compiledTemplateCache: true }),
      ["one", "one"],
    );
  }));

Deno.test("Application setting compiledTemplateCache off compiles once for a request", async () => {
  let made = 0;
  class Counting extends DictLoader {
    override createTemplate(name: string) {
      made++;
      return super.createTemplate(name);
    }
  }
  class Main extends RequestHandler {
    override get(): void {
      this.write(this.renderString("page.html") + this.renderString("page.html"));
    }
  }
  await serve([["/", Main]], async ({ get }) => {
    assertEquals((await get("/")).text, "aa");
    assertEquals(made, 1);
    await get("/");
    assertEquals(made, 2);
  }, { templateLoader: new Counting({ "page.html": "a" }), compiledTemplateCache: false });
});

Deno.test("RequestHandler.getBrowserLocale() takes the language that is wanted most", async () => {
  class Main extends RequestHandler {
    override get(): void {
      this.write(`${this.locale.code} ${this.getBrowserLocale("fr").code}`);
    }
  }
  const directory = await Deno.makeTempDir();
  const empty = await Deno.makeTempDir();
  for (const code of ["fr_FR", "fr", "de", "pt_BR"]) {
    await Deno.writeTextFile(`${directory}/${code}.csv`, "");
  }
  await loadTranslations(directory);
  const cases: [string, string][] = [
    ["fr-FR;q=0.9", "fr_FR"],
    ["fr-FR; q=0.9", "fr_FR"],
    ["fr-FR", "fr_FR"],
    ["fr-FR;q=0", "en_US"],
    ["fr-FR;q=-1", "en_US"],
    ["fr-FR;q=much", "en_US"],
    ["fr-FR;q=", "en_US"],
    ["fr-FR;level=1", "fr_FR"],
    ["de;q=0.5,pt-BR;q=0.8,fr;q=0.7", "pt_BR"],
    ["de,fr", "de"],
    ["de ;q=0.1 , xx, fr;q=0.2", "fr"],
    ["xx-YY", "en_US"],
    ["*", "en_US"],
    [",;,", "en_US"],
  ];
  try {
    await serve([["/", Main]], async ({ get }) => {
      for (const [field, code] of cases) {
        const { text } = await get("/", { "Accept-Language": field });
        assertEquals(text.split(" ")[0], code, field);
      }
      assertEquals((await get("/")).text, "en_US fr");
    });
  } finally {
    await loadTranslations(empty);
    await Deno.remove(directory, { recursive: true });
    await Deno.remove(empty);
  }
});

Deno.test("RequestHandler.getUserLocale() comes before the browser", () => {
  class Main extends RequestHandler {
    override getUserLocale() {
      return getLocale("eo");
    }
    override get(): void {
      assertStrictEquals(this.locale, this.locale);
      this.write(this.locale.code);
    }
  }
  setDefaultLocale("eo");
  return serve([["/", Main]], async ({ get }) => {
    assertEquals((await get("/", { "Accept-Language": "fr" })).text, "eo");
  }).finally(() => setDefaultLocale("en_US"));
});
