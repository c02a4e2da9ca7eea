import { browser, runInBrowser } from "./_browser.ts";

Deno.test({
  name: "the blog works in Chromium: sign up, write, change the language, sign in",
  ignore: browser === null,
  fn: () => runInBrowser("_blog_in_browser.ts"),
});
