import { assert, assertEquals, assertThrows } from "@std/assert";
import { appLog } from "../../ioloop/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import {
  Application,
  type ApplicationSettings,
  DictLoader,
  type HandlerClass,
  RequestHandler,
  UIModule,
} from "../../web/mod.ts";
import { serve } from "./_serve.ts";

/** The body of what a handler of this class answers to GET. */
async function answerOf(handler: HandlerClass, settings: ApplicationSettings): Promise<string> {
  let answer = "";
  await serve([["/", handler]], async ({ get }) => {
    const { status, text } = await get("/");
    assertEquals(status, 200, text);
    answer = text;
  }, settings);
  return answer;
}

/** The page that these templates make; the first is its own. */
function pageOf(
  templates: Record<string, string>,
  settings: ApplicationSettings = {},
  args: object = {},
): Promise<string> {
  class Main extends RequestHandler {
    override get(): void {
      this.render(Object.keys(templates)[0]!, args);
    }
  }
  return answerOf(Main, { templateLoader: new DictLoader(templates), ...settings });
}

Deno.test("uiMethods are called with the handler, and by every template", async () => {
  const uiMethods = {
    double: (_handler: RequestHandler, n: number) => n * 2,
    path: (handler: RequestHandler) => handler.request.path,
  };
  assertEquals(
    await pageOf({
      "a.html": "{{ path() }} {{ double(2) }} {% include 'b.html' %} {{ handler.ui.double(4) }}",
      "b.html": "{{ double(3) }}",
    }, { uiMethods }),
    "/ 4 6 8",
  );
});

Deno.test("uiMethods take several objects, and only functions with a lower-case name", () => {
  const { uiMethods } = new Application([], {
    uiMethods: [
      { plain: () => 1, _private: () => 2, Upper: () => 3, text: "4", éa: () => 5 },
      [{ more: () => 6 }],
    ],
  });
  assertEquals(Object.keys(uiMethods), ["plain", "éa", "more"]);
  assertThrows(() => new Application([], { uiMethods: "mine" as unknown as object }), TypeError);
});

Deno.test("uiModules take several objects, and only modules, next to the built-in ones", () => {
  class Entry extends UIModule {
    override render() {
      return "";
    }
  }
  class Other {}
  const { uiModules } = new Application([], {
    uiModules: [{ Entry, Other, x: 1 }, { entry: Entry }],
  });
  assertEquals(Object.keys(uiModules), [
    "linkify",
    "xsrfFormHtml",
    "xsrf_form_html",
    "Template",
    "Entry",
    "entry",
  ]);
  assertEquals(Object.keys(new Application().uiModules).length, 4);
});

Deno.test("UIModule sees handler, request, user, locale and methods, one instance a page", async () => {
  let made = 0;
  class Info extends UIModule {
    #uses = 0;
    constructor(handler: RequestHandler) {
      super(handler);
      made++;
    }
    override render(greeting: string, { end = "." } = {}): string {
      const { handler, request, currentUser, locale, ui } = this;
      assert(handler instanceof RequestHandler);
      const double = ui["double"] as (n: number) => number;
      this.#uses++;
      return `${greeting} ${currentUser} ${request.method} ${locale.code} ${
        double(this.#uses)
      }${end}`;
    }
  }
  class Main extends RequestHandler {
    override getCurrentUser() {
      return "Ada";
    }
    override get(): void {
      this.render("a.html");
    }
  }
  const text = await answerOf(Main, {
    templateLoader: new DictLoader({
      "a.html": "{% module Info('Hi') %} {% include 'b.html' %}",
      "b.html": "{% module Info('Yo', { end: '!' }) %}",
    }),
    uiModules: { Info },
    uiMethods: { double: (_: unknown, n: number) => n * 2 },
  });
  assertEquals(text, "Hi Ada GET en_US 2. Yo Ada GET en_US 4!");
  assertEquals(made, 1);
});

Deno.test("UIModule.renderString() renders a template with the names of the page", async () => {
  class Entry extends UIModule {
    override render(title: string): string {
      return this.renderString("entry.html", { title });
    }
  }
  assertEquals(
    await pageOf(
      {
        "a.html": "{% module Entry('<x>') %}",
        "entry.html": "<b>{{ title }}{{ request.path }}</b>",
      },
      { uiModules: { Entry } },
    ),
    "<b>&lt;x&gt;/</b>",
  );
});

Deno.test("UIModule resources stand in the page in order, each linked file once", async () => {
  class One extends UIModule {
    override render = () => "one";
    override embeddedJavascript = () => "js1";
    override javascriptFiles = () => ["a.js", "/abs.js"];
    override embeddedCss = () => "css1";
    override cssFiles = () => "a.css";
    override htmlHead = () => "<head1>";
    override htmlBody = () => "<body1>";
  }
  class Two extends UIModule {
    override render = () => "two";
    override embeddedJavascript = () => "js2";
    override javascriptFiles = () => ["a.js", "https://cdn.example/x.js?a=1&b=2"];
    override embeddedCss = () => "css2";
    override cssFiles = () => ["a.css", "b.css"];
    override htmlHead = () => "<head2>";
    override htmlBody = () => "<body2>";
  }
  class Quiet extends UIModule {
    override render = () => "quiet";
  }
  class Main extends RequestHandler {
    override get(): void {
      this.render("page.html");
    }
    override staticUrl(path: string): string {
      return `/s/${path}?v=1`;
    }
  }
  const templateLoader = new DictLoader({
    "page.html": "<head>\n</head><body>{% module One() %}{% module Two() %}{% module One() %}" +
      "{% module Quiet() %}</body>\n</html>",
  });
  assertEquals(
    await answerOf(Main, { templateLoader, uiModules: { One, Two, Quiet } }),
    `<head>
<link href="/s/a.css?v=1" type="text/css" rel="stylesheet"/><link href="/s/b.css?v=1" type="text/css" rel="stylesheet"/>
<style type="text/css">
css1
css2
</style>
<head1><head2>
</head><body>onetwoonequiet<script src="/s/a.js?v=1" type="text/javascript"></script><script src="/abs.js" type="text/javascript"></script><script src="https://cdn.example/x.js?a=1&amp;b=2" type="text/javascript"></script>
<script type="text/javascript">
//<![CDATA[
js1
js2
//]]>
</script>
<body1><body2>
</body>
</html>`,
  );
});

Deno.test("RequestHandler.renderLinkedJs() and its like can be overridden", async () => {
  class Entry extends UIModule {
    override render = () => "";
    override embeddedJavascript = () => "1";
    override javascriptFiles = () => "a.js";
    override embeddedCss = () => "2";
    override cssFiles = () => "a.css";
  }
  class Main extends RequestHandler {
    override get(): void {
      this.render("a.html");
    }
    override renderLinkedJs = (files: readonly string[]) => `[js ${files}]`;
    override renderEmbedJs = (parts: readonly string[]) => `[embed ${parts}]`;
    override renderLinkedCss = (files: readonly string[]) => `[css ${files}]`;
    override renderEmbedCss = (parts: readonly string[]) => `[style ${parts}]`;
  }
  const templateLoader = new DictLoader({ "a.html": "{% module Entry() %}</head></body>" });
  assertEquals(
    await answerOf(Main, { templateLoader, uiModules: { Entry } }),
    "[css a.css]\n[style 2]\n</head>[js a.js]\n[embed 1]\n</body>",
  );
});

Deno.test("UIModule resources without a place in the page are an error", async () => {
  class Entry extends UIModule {
    override render = () => "";
    override htmlBody = () => "x";
  }
  class Main extends RequestHandler {
    override get(): void {
      this.render("a.html");
    }
  }
  await serve([["/", Main]], async ({ get }) => {
    await expectLog(appLog, /it has no <\/body>/, async () => {
      assertEquals((await get("/")).status, 500);
    });
  }, {
    templateLoader: new DictLoader({ "a.html": "{% module Entry() %}" }),
    uiModules: { Entry },
  });
});

Deno.test("{% module %} of a name that is not there is an error that says so", async () => {
  class Main extends RequestHandler {
    override get(): void {
      this.render("a.html");
    }
  }
  await serve([["/", Main]], async ({ get }) => {
    await expectLog(appLog, /Cannot use module toString: expected one of linkify/, async () => {
      assertEquals((await get("/")).status, 500);
    });
  }, { templateLoader: new DictLoader({ "a.html": "\n{% module toString() %}" }) });
});

Deno.test("TemplateModule puts a template and what it needs into the page", async () => {
  assertEquals(
    await pageOf({
      "page.html": "<head></head><body>{% module Template('entry.html', { n: 1 }) %}" +
        "{% module Template('entry.html', { n: 2 }) %}{% module Template('other.html') %}</body>",
      "entry.html":
        "{{ setResources({ embeddedCss: '.e {}', javascriptFiles: ['/e.js'] }) }}<{{ n }}>",
      "other.html":
        "{{ setResources({ embeddedCss: '.o {}', javascriptFiles: '/o.js', cssFiles: '/o.css'," +
        " embeddedJavascript: 'o()', htmlHead: '<o>', htmlBody: '</o>' }) }}other",
    }),
    `<head><link href="/o.css" type="text/css" rel="stylesheet"/>
<style type="text/css">
.e {}
.o {}
</style>
<o>
</head><body><1><2>other<script src="/e.js" type="text/javascript"></script><script src="/o.js" type="text/javascript"></script>
<script type="text/javascript">
//<![CDATA[
o()
//]]>
</script>
</o>
</body>`,
  );
});

Deno.test("TemplateModule refuses a template that asks for other resources than before", async () => {
  class Main extends RequestHandler {
    override get(): void {
      this.render("page.html");
    }
  }
  const templateLoader = new DictLoader({
    "page.html":
      "{% module Template('e.html', { n: 1 }) %}{% module Template('e.html', { n: 2 }) %}",
    "e.html": "{{ setResources({ embeddedCss: n }) }}",
  });
  await serve([["/", Main]], async ({ get }) => {
    await expectLog(appLog, /Cannot set resources of e\.html/, async () => {
      assertEquals((await get("/")).status, 500);
    });
  }, { templateLoader });
});

Deno.test("linkify module makes links that are not escaped, xsrfFormHtml module the input", async () => {
  assertEquals(
    await pageOf({ "a.html": "{% module linkify('<b> http://example.com') %}" }),
    '&lt;b&gt; <a href="http://example.com">http://example.com</a>',
  );
  const form = await pageOf({
    "a.html": "{% module xsrfFormHtml() %};{% module xsrf_form_html() %};{% raw xsrfFormHtml() %}",
  });
  const [first, ...others] = form.split(";");
  assert(/^<input type="hidden" name="_xsrf" value="[^"]+"\/>$/.test(first!), form);
  assertEquals(others, [first!, first!]);
});

Deno.test("UIModule that fails shows the places of both templates", async () => {
  class Entry extends UIModule {
    override render(): string {
      return this.renderString("entry.html");
    }
  }
  class Main extends RequestHandler {
    override get(): void {
      this.render("page.html");
    }
  }
  const templateLoader = new DictLoader({
    "page.html": "\n{% module Entry() %}",
    "entry.html": "\n\n{{ nobody }}",
  });
  await serve([["/", Main]], async ({ get }) => {
    await expectLog(
      appLog,
      /nobody is not defined[^]*at entry\.html:3[^]*at page\.html:2/,
      async () => {
        assertEquals((await get("/")).status, 500);
      },
    );
  }, { templateLoader, uiModules: { Entry } });
});
