import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { renderMarkdown } from "../../examples/blog/markdown.ts";
import { hashPassword, isPassword } from "../../examples/blog/passwords.ts";
import { Browser } from "../web/_providers.ts";
import { startBlog } from "./_blog.ts";

const PASSWORD = "correct horse";

/** Opens a page for its form, and sends that. */
async function submit(browser: Browser, page: string, action: string, fields = {}) {
  const { text } = await browser.open(page);
  const token = /name="_xsrf" value="([^"]+)"/.exec(text)![1]!;
  return await browser.post(action, { _xsrf: token, ...fields });
}

async function withBlog(body: (port: number) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await using blog = await startBlog(directory);
    await body(blog.port);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("the blog: the author signs up, writes, changes, signs out and in again", async () => {
  await withBlog(async (port) => {
    const author = new Browser(port);
    assertStringIncludes((await author.open("/")).text, "Become the author");
    const signedUp = await submit(author, "/sign-up", "/sign-up", {
      name: "Ada",
      password: PASSWORD,
    });
    assertEquals([signedUp.status, signedUp.headers.get("Location")], [303, "/"]);
    const cookie = signedUp.headers.getList("Set-Cookie").find((field) => /^blog_/.test(field))!;
    assertMatch(cookie, /HttpOnly;.*SameSite=Lax/);

    const fields = { title: "Hello <World>", markdown: "*First* entry & <script>no</script>" };
    const written = await submit(author, "/compose", "/compose", fields);
    assertEquals(written.headers.get("Location"), "/entry/hello-world");
    const again = await submit(author, "/compose", "/compose", fields);
    assertEquals(again.headers.get("Location"), "/entry/hello-world-2");

    const reader = new Browser(port);
    const { status, text } = await reader.open("/entry/hello-world");
    assertEquals(status, 200);
    assertStringIncludes(text, "Hello &lt;World&gt;</a>");
    assertStringIncludes(text, "<em>First</em> entry &amp; &lt;script&gt;no&lt;/script&gt;");
    assert(!text.includes(">Edit<"));
    assertStringIncludes((await reader.open("/archive")).text, "2 entries");
    assertEquals((await reader.open("/entry/nothing")).status, 404);

    const changed = await submit(author, "/compose?slug=hello-world", "/compose", {
      slug: "hello-world",
      title: "Changed",
      markdown: "new",
    });
    assertEquals(changed.headers.get("Location"), "/entry/hello-world");
    assertStringIncludes((await reader.open("/")).text, ">Changed</a>");

    assertEquals((await submit(author, "/", "/sign-out")).status, 303);
    assertEquals(
      (await author.open("/compose")).headers.get("Location"),
      "/sign-in?next=%2Fcompose",
    );
    const signedIn = await submit(author, "/sign-in", "/sign-in", {
      name: "Ada",
      password: PASSWORD,
      next: "/compose",
    });
    assertEquals(signedIn.headers.get("Location"), "/compose");
    assertEquals((await author.open("/compose")).status, 200);
  });
});

Deno.test("the blog refuses strangers, forged forms and other sites", async () => {
  await withBlog(async (port) => {
    const author = new Browser(port);
    const short = await submit(author, "/sign-up", "/sign-up", { name: "Ada", password: "short" });
    assertEquals(short.status, 400);
    assertEquals((await author.post("/sign-up", { name: "Eve", password: PASSWORD })).status, 403);
    await submit(author, "/sign-up", "/sign-up", { name: "Ada", password: PASSWORD });

    const eve = new Browser(port);
    assertEquals((await eve.open("/sign-up")).headers.get("Location"), "/sign-in");
    const second = await submit(eve, "/", "/sign-up", { name: "Eve", password: PASSWORD });
    assertEquals(second.status, 403);
    for (const [name, password] of [["Ada", "wrong horse"], ["Eve", PASSWORD], ["Ada", ""]]) {
      const refused = await submit(eve, "/sign-in", "/sign-in", { name, password });
      assertEquals(refused.status, 403);
      assertStringIncludes(refused.text, "Name or password is wrong");
    }
    const fields = { title: "Spam", markdown: "spam" };
    assertEquals((await submit(eve, "/", "/compose", fields)).status, 403);
    eve.cookies.set("blog_author", '"2|1:0|10:1700000000|11:blog_author|4:MQ==|forged"');
    assertEquals((await submit(eve, "/", "/compose", fields)).status, 403);
    assertEquals((await author.post("/compose", fields)).status, 403); // without the token

    const elsewhere = [
      "https://evil.example/",
      "//evil.example",
      "\\\\evil.example",
      "javascript:1",
    ];
    for (const next of elsewhere) {
      const answer = await submit(author, "/sign-in", "/sign-in", {
        name: "Ada",
        password: PASSWORD,
        next,
      });
      assertEquals([answer.status, answer.headers.get("Location")], [303, "/"], next);
    }
    const answer = await submit(author, "/sign-in", "/sign-in", {
      name: "Ada",
      password: PASSWORD,
      next: "/.//evil.example",
    });
    assertEquals(answer.headers.get("Location"), "/evil.example");
  });
});

Deno.test("the blog speaks the language of the browser, or the one that was chosen", async () => {
  await withBlog(async (port) => {
    const reader = new Browser(port);
    const ask = (language: string) =>
      reader.open("/", "GET", { headers: { "Accept-Language": language } });
    assertStringIncludes((await ask("de,en;q=0.5")).text, "Noch wurde nichts geschrieben.");
    assertStringIncludes((await ask("fr")).text, "Nothing was written yet.");
    const chosen = await submit(reader, "/", "/language", { language: "de", next: "/archive" });
    assertEquals(chosen.headers.get("Location"), "/archive");
    const { text } = await ask("en");
    assertStringIncludes(text, '<html lang="de">');
    assertStringIncludes(text, "Archiv");
    assertEquals((await submit(reader, "/", "/language", { language: "xx" })).status, 400);
  });
});

Deno.test("renderMarkdown() shows HTML as text, and makes no link of a script", () => {
  assertEquals(
    renderMarkdown("a <b onclick='x'>b</b>\n\n<p>"),
    [
      "<p>a &lt;b onclick=&#x27;x&#x27;&gt;b&lt;/b&gt;</p>\n",
      "&lt;p&gt;",
    ].join(""),
  );
  for (const href of ["javascript:alert(1)", "JaVaScRiPt:x", "data:text/html,x", "vbscript:x"]) {
    assertEquals(renderMarkdown(`[a](${href})`), '<p><a href="#">a</a></p>\n');
    assertEquals(renderMarkdown(`![a](${href})`), '<p><img src="#" alt="a"></p>\n');
  }
  assertEquals(
    renderMarkdown("[a](https://example.org/)"),
    '<p><a href="https://example.org/">a</a></p>\n',
  );
});

Deno.test("isPassword() knows the password of a hash, and none of nobody", () => {
  const hash = hashPassword("pässword");
  assert(!hash.includes("pässword") && hash !== hashPassword("pässword"));
  assert(isPassword("pässword", hash));
  assert(isPassword("pa\u0308ssword", hash)); // the same to who types it
  for (const other of ["passwort", "", "PÄSSWORD"]) assert(!isPassword(other, hash));
  assert(!isPassword("", null));
});
