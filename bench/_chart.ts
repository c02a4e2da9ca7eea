// Draws a chart as SVG. Colours and background are its own, so that it can be read on a light page
// and on a dark one; texts are measured by their number of characters.
import type { Chart } from "./_report.ts";

type Series = Chart["series"][number];
type Point = Series["points"][number];

const WIDTH = 760;
const MARGIN = 20;
const HEAD = 64; // title and unit
const LINE = 18;
const CHARACTER = 8; // width of one, rather too much, in texts of 13 px
const FONT = "font-family='system-ui, sans-serif' font-size='13'";

const BACKGROUND = "#f7f8fa";
const TEXT = "#1c2330";
const FAINT = "#5c6675";
const GRID = "#d5dae1";

/** What stands out; the colours of the others come in turn. */
const OURS = "Waterspout";
const OUR_COLOUR = "#0b6bcb";
const COLOURS = ["#8a94a3", "#c2571a", "#3d8b40", "#8e4bb0", "#b8860b", "#c0392b", "#2a8c8c"];

/** Gives a chart as the text of an SVG file. */
export function drawChart(chart: Chart): string {
  const { body, height } = chart.kind === "bars" ? drawBars(chart) : drawLines(chart);
  const { title, unit } = chart;
  return [
    `<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 ${WIDTH} ${height}' width='${WIDTH}' ` +
    `height='${height}' role='img' ${FONT}>`,
    `<title>${escape(`${title}, ${unit}`)}</title>`,
    `<rect width='${WIDTH}' height='${height}' rx='8' fill='${BACKGROUND}'/>`,
    text(MARGIN, 30, title, { weight: 600, size: 16 }),
    text(MARGIN, 50, unit, { fill: FAINT }),
    ...body,
    "</svg>\n",
  ].join("\n");
}

interface Drawn {
  readonly body: string[];
  readonly height: number;
}

/** Draws groups of horizontal bars: one for each label, with a bar for each series that has it. */
function drawBars({ series }: Chart): Drawn {
  const labels = [...new Set(series.flatMap(({ points }) => points.map(([label]) => label)))];
  const top = series.length > 1 ? HEAD + LINE * legendRows(series) : HEAD;
  const left = MARGIN * 1.5 + CHARACTER * Math.max(0, ...labels.map((label) => `${label}`.length));
  const bars = labels.flatMap((label, group) =>
    series.flatMap((each, index) =>
      each.points.filter(([its]) => its === label).map(([, value]) => ({
        label,
        value,
        group,
        colour: series.length > 1 ? colourOf(each.name, index) : colourOf(`${label}`, 0),
      }))
    )
  );
  const largest = Math.max(...bars.map(({ value }) => value), 0);
  const right = WIDTH - MARGIN - CHARACTER * 9; // the longest value stands behind its bar
  const body = series.length > 1 ? legend(series) : [];
  let y = top;
  let group = -1;
  for (const bar of bars) {
    if (bar.group !== group) {
      if (group >= 0) y += 8;
      group = bar.group;
      const weight = bar.label === OURS ? 600 : 400;
      body.push(text(left - 10, y + 13, `${bar.label}`, { anchor: "end", weight }));
    }
    const width = largest > 0 ? Math.max(1, (right - left) * Math.max(0, bar.value) / largest) : 1;
    body.push(
      `<rect x='${left}' y='${y}' width='${round(width)}' height='${LINE - 2}' rx='2' ` +
        `fill='${bar.colour}'/>`,
      text(left + width + 6, y + 13, figure(bar.value)),
    );
    y += LINE;
  }
  return { body, height: y + MARGIN };
}

/** Draws lines over a logarithmic axis of numbers, with the value at the end of each. */
function drawLines({ series }: Chart): Drawn {
  const xs = series.flatMap(({ points }) => points.map(([x]) => Number(x))).filter((x) => x > 0);
  const [first, last] = [Math.log(Math.min(...xs)), Math.log(Math.max(...xs))];
  const ticks = ticksUpTo(Math.max(0, ...series.flatMap(({ points }) => points.map(([, y]) => y))));
  const highest = ticks.at(-1)!;
  const top = HEAD + LINE * legendRows(series);
  const bottom = top + 260;
  const left = MARGIN + CHARACTER * Math.max(...ticks.map((tick) => figure(tick).length)) + 8;
  const right = WIDTH - MARGIN - CHARACTER * 9;
  const place = ([x, y]: Point): [number, number] => [
    left + (right - left) * (last > first ? (Math.log(Number(x)) - first) / (last - first) : 0.5),
    bottom - (bottom - top) * y / highest,
  ];
  const body = legend(series);
  for (const tick of ticks) {
    const [, y] = place([1, tick]);
    body.push(
      `<path d='M${left} ${round(y)}H${right}' stroke='${GRID}'/>`,
      text(left - 8, y + 4, figure(tick), { anchor: "end", fill: FAINT }),
    );
  }
  let free = 0; // where the next number of the axis has room
  for (const x of [...new Set(xs)].sort((a, b) => a - b)) {
    const [middle] = place([x, 0]);
    const half = figure(x).length * CHARACTER / 2;
    if (middle - half < free) continue;
    free = middle + half;
    body.push(text(middle, bottom + 20, figure(x), { anchor: "middle", fill: FAINT }));
  }
  const ends: number[] = [];
  for (const [index, { name, points }] of series.entries()) {
    const colour = colourOf(name, index);
    const places = points.filter(([x]) => Number(x) > 0).map(place);
    const path = places.map(([x, y]) => `${round(x)} ${round(y)}`).join("L");
    if (path === "") continue;
    body.push(
      `<path d='M${path}' fill='none' stroke='${colour}' ` +
        `stroke-width='${name === OURS ? 3 : 2}'/>`,
      ...places.map(([x, y]) =>
        `<circle cx='${round(x)}' cy='${round(y)}' r='3' fill='${colour}'/>`
      ),
    );
    const [x, y] = places.at(-1)!;
    // Two values that would stand on each other: only the first of them.
    if (ends.some((other) => Math.abs(other - y) < LINE - 4)) continue;
    ends.push(y);
    body.push(text(x + 8, y + 4, figure(points.at(-1)![1]), { fill: colour }));
  }
  return { body, height: bottom + 20 + MARGIN };
}

/** Gives round numbers from 0 to one that is not below `largest`. */
function ticksUpTo(largest: number): number[] {
  const rough = (largest || 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough)!;
  return Array.from({ length: Math.ceil((largest || 1) / step) + 1 }, (_, index) => index * step);
}

/** Gives the places of the names in the legend, from left to right and row by row. */
function legendPlaces(series: readonly Series[]): { x: number; row: number }[] {
  let [x, row] = [MARGIN, 0];
  return series.map(({ name }) => {
    const width = 34 + CHARACTER * name.length;
    if (x > MARGIN && x + width > WIDTH - MARGIN) [x, row] = [MARGIN, row + 1];
    const place = { x, row };
    x += width;
    return place;
  });
}

function legendRows(series: readonly Series[]): number {
  return (legendPlaces(series).at(-1)?.row ?? -1) + 1.5;
}

function legend(series: readonly Series[]): string[] {
  return legendPlaces(series).flatMap(({ x, row }, index) => {
    const y = HEAD + LINE * row;
    const { name } = series[index]!;
    return [
      `<rect x='${x}' y='${y}' width='12' height='12' rx='2' fill='${colourOf(name, index)}'/>`,
      text(x + 18, y + 11, name, { weight: name === OURS ? 600 : 400 }),
    ];
  });
}

function colourOf(name: string, index: number): string {
  return name === OURS ? OUR_COLOUR : COLOURS[index % COLOURS.length]!;
}

/** Formats a number with three digits that count. */
function figure(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  return String(Number(value.toPrecision(3)));
}

function round(value: number): string {
  return String(Math.round(value * 10) / 10);
}

interface TextOptions {
  readonly anchor?: "start" | "middle" | "end";
  readonly fill?: string;
  readonly weight?: number;
  readonly size?: number;
}

function text(
  x: number,
  y: number,
  content: string,
  { anchor = "start", fill = TEXT, weight = 400, size = 13 }: TextOptions = {},
): string {
  return `<text x='${round(x)}' y='${round(y)}' text-anchor='${anchor}' fill='${fill}' ` +
    `font-weight='${weight}' font-size='${size}'>${escape(content)}</text>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escape(content: string): string {
  return content.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}
