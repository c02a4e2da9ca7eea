import { assertEquals, assertThrows } from "@std/assert";
import { markdownReport, markdownTable, replaceBetween } from "../../bench/_report.ts";

const PAGE = "# Title\n\nBefore.\n\n<!-- bench: a -->\n\nold\n\n<!-- /bench: a -->\n\nBehind.\n";

Deno.test("replaceBetween() replaces what stands between two comments, and nothing else", () => {
  const once = replaceBetween(PAGE, "bench: a", "new\n");
  assertEquals(once, PAGE.replace("old", "new"));
  assertEquals(replaceBetween(once, "bench: a", "new"), once);
});

Deno.test("replaceBetween() fills comments that have nothing between them", () => {
  const page = "<!-- x --><!-- /x -->";
  assertEquals(replaceBetween(page, "x", "text"), "<!-- x -->\n\ntext\n\n<!-- /x -->");
});

Deno.test("replaceBetween() takes text that looks like a pattern of a replacement as it is", () => {
  const text = "$& costs $1, $` and $$";
  assertEquals(replaceBetween(PAGE, "bench: a", text), PAGE.split("old").join(text));
});

Deno.test("replaceBetween() refuses a page whose comments are missing, twice or reversed", () => {
  const pages = [
    "no comments",
    "<!-- x -->",
    "<!-- /x -->",
    "<!-- /x --> <!-- x -->",
    "<!-- x --> <!-- x --> <!-- /x -->",
    "<!-- x --> <!-- /x --> <!-- /x -->",
  ];
  for (const page of pages) {
    assertThrows(() => replaceBetween(page, "x", "text"), TypeError, "<!-- x --> once");
  }
});

Deno.test("markdownTable() aligns columns, shows null as a dash and keeps bars in cells apart", () => {
  const table = {
    columns: ["", "us"],
    rows: [["a|b", "12.50"], ["größer", null], ["n", 3]],
  };
  assertEquals(
    markdownTable(table),
    "|        | us    |\n" +
      "| ------ | ----- |\n" +
      "| a\\|b   | 12.50 |\n" +
      "| größer | -     |\n" +
      "| n      | 3     |\n",
  );
});

Deno.test("markdownReport() gives each section its heading, text, table and charts", () => {
  const chart = {
    file: "bench-x.svg",
    title: "Work",
    unit: "us",
    kind: "bars",
    series: [],
  } as const;
  const table = { columns: ["", "us"], rows: [["work", "1"]] };
  const sections = [
    { title: "First", text: "How it was.", table, charts: [chart] },
    { title: "Second", text: "", table, charts: [] },
  ];
  const lines = "|      | us  |\n| ---- | --- |\n| work | 1   |\n";
  assertEquals(
    markdownReport("One day.", sections, "images"),
    `One day.\n\n### First\n\nHow it was.\n\n${lines}\n![Work, us](images/bench-x.svg)\n\n` +
      `### Second\n\n${lines}`,
  );
});

Deno.test("markdownReport() breaks text at 100 characters, paragraph by paragraph", () => {
  const long = "four ".repeat(30);
  const [first, second, ...rest] = markdownReport(`${long}\n\nEnd.`, [], "images").split("\n");
  assertEquals(first, "four ".repeat(20).trim());
  assertEquals(second, "four ".repeat(10).trim());
  assertEquals(rest, ["", "End.", ""]);
});

Deno.test("markdownReport() leaves lists as they are", () => {
  assertEquals(markdownReport("Two:\n\n- one\n- two", [], "images"), "Two:\n\n- one\n- two\n");
});
