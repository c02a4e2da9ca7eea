import { browser, runInBrowser } from "./_browser.ts";

Deno.test({
  name: "the upload example shows its progress in Chromium, and can be cancelled",
  ignore: browser === null,
  fn: () => runInBrowser("_file_upload_in_browser.ts"),
});
