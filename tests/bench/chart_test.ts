import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { drawChart } from "../../bench/_chart.ts";
import type { Chart } from "../../bench/_report.ts";

const TAG_REGEXP = /<(\/?)([a-z]+)((?: [A-Za-z-]+='[^'<]*')*)(\/?)>/g;
const ENTITY_REGEXP = /&(?:amp|lt|gt|quot|#39);/g;

/** Fails unless `xml` is one element, whose tags are paired and whose text is escaped. */
function assertWellFormed(xml: string): void {
  const open: string[] = [];
  let roots = 0;
  const rest = xml.trim().replace(TAG_REGEXP, (_tag, closes, name, _attributes, empty) => {
    if (open.length === 0) roots++;
    if (closes === "/") {
      assertEquals(open.pop(), name);
    } else if (empty === "") open.push(name);
    return "";
  });
  assertEquals(open, []);
  assertEquals(roots, 1);
  assert(!/[<>&]/.test(rest.replace(ENTITY_REGEXP, "")), `not escaped: ${rest}`);
}

function numbersOf(svg: string, regexp: RegExp): number[] {
  return [...svg.matchAll(regexp)].map(([, number]) => Number(number));
}

const BARS: Chart = {
  file: "bench-x.svg",
  title: "Requests",
  unit: "us",
  kind: "bars",
  series: [{ name: "us", points: [["Waterspout", 10], ["Other", 40]] }],
};

const LINES: Chart = {
  file: "bench-y.svg",
  title: "Growth",
  unit: "ms",
  kind: "lines",
  series: [
    { name: "Waterspout", points: [[10, 1], [100, 2], [1000, 3]] },
    { name: "Other", points: [[10, 5], [1000, 20]] },
  ],
};

Deno.test("drawChart() writes well-formed XML with names and units escaped", () => {
  const evil = `<script>"a" & 'b'</script>`;
  for (const chart of [BARS, LINES]) {
    const series = [...chart.series, { name: evil, points: [["1", 1]] as const }];
    const svg = drawChart({ ...chart, title: evil, unit: evil, series });
    assertWellFormed(svg);
    assertStringIncludes(svg, "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/script&gt;");
  }
});

Deno.test("drawChart() draws bars as long as their values, each with its value", () => {
  const svg = drawChart(BARS);
  assertWellFormed(svg);
  const [, ...widths] = numbersOf(svg, /<rect [^>]*width='([\d.]+)'/g); // the background first
  assertEquals(widths.length, 2);
  assert(Math.abs(widths[1]! / widths[0]! - 4) < 0.01, `widths are ${widths}`);
  for (const said of ["Requests", "us", "Waterspout", "Other", ">10<", ">40<"]) {
    assertStringIncludes(svg, said);
  }
});

Deno.test("drawChart() draws a group of bars for each label, with a legend of the series", () => {
  const svg = drawChart({
    ...BARS,
    series: [
      { name: "small", points: [["a", 1], ["b", 2]] },
      { name: "large", points: [["b", 3]] },
    ],
  });
  assertWellFormed(svg);
  assertEquals(numbersOf(svg, /<rect [^>]*width='([\d.]+)'/g).length, 1 + 2 + 3);
  for (const said of [">small<", ">large<", ">a<", ">b<"]) assertStringIncludes(svg, said);
});

Deno.test("drawChart() puts equal factors of the x axis equally far apart", () => {
  const svg = drawChart(LINES);
  assertWellFormed(svg);
  const [ten, hundred, thousand] = numbersOf(svg, /<circle cx='([\d.]+)'/g);
  assert(ten! < hundred!);
  assert(Math.abs((hundred! - ten!) - (thousand! - hundred!)) < 0.5);
  for (const said of [">Waterspout<", ">Other<", ">1,000<", ">20<"]) {
    assertStringIncludes(svg, said);
  }
});

Deno.test("drawChart() has a background of its own", () => {
  assertMatch(drawChart(BARS), /<rect width='760' height='\d+' rx='8' fill='#/);
});

Deno.test("drawChart() draws what has no points, or one, or zeros only", () => {
  for (const kind of ["bars", "lines"] as const) {
    for (const points of [[], [[1, 5]], [[1, 0], [2, 0]]] as const) {
      const svg = drawChart({ ...BARS, kind, series: [{ name: "x", points }] });
      assertWellFormed(svg);
      assert(!/NaN|Infinity/.test(svg), svg);
    }
  }
});

Deno.test("drawChart() leaves out numbers of the x axis that would stand on each other", () => {
  const points = Array.from({ length: 100 }, (_, at) => [1000 + at, 1] as const);
  const svg = drawChart({ ...LINES, series: [{ name: "x", points }] });
  const places = numbersOf(svg, /<text x='([\d.]+)'[^>]*text-anchor='middle'/g);
  assert(places.length > 2 && places.length < 30, `there are ${places.length}`);
  for (const [at, place] of places.slice(1).entries()) assert(place - places[at]! >= 5 * 7);
});
