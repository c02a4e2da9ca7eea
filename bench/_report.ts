// What a suite gives: sections of text, tables and charts; and how a page takes them in.

/** Rows of figures, already formatted; `null` is what a peer cannot do. */
export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number | null)[])[];
}

/** A picture of some of the figures. */
export interface Chart {
  /** Name of the file, as `bench-x.svg`. */
  readonly file: string;
  readonly title: string;
  readonly unit: string;
  /** Horizontal bars, or lines over an axis of numbers, which is logarithmic. */
  readonly kind: "bars" | "lines";
  readonly series: readonly {
    readonly name: string;
    readonly points: readonly (readonly [label: string | number, value: number])[];
  }[];
}

/** A part of the report, with a heading of its own. */
export interface Section {
  readonly title: string;
  /** Says how it was measured, as Markdown. */
  readonly text: string;
  readonly table: Table;
  readonly charts: readonly Chart[];
}

const LINE_WIDTH = 100;

/** Gives a table as Markdown, its columns aligned as the formatter aligns them. */
export function markdownTable({ columns, rows }: Table): string {
  const lines = [columns, ...rows.map((row) => row.map((cell) => `${cell ?? "-"}`))]
    .map((cells) => cells.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = columns.map((_, at) => Math.max(3, ...lines.map((cells) => width(cells[at]!))));
  const [head, ...body] = lines.map((cells) =>
    cells.map((cell, at) => cell + " ".repeat(widths[at]! - width(cell)))
  );
  return [head!, widths.map((length) => "-".repeat(length)), ...body]
    .map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

/** Gives the columns that a cell takes: characters, not code units. */
function width(cell: string): number {
  return [...cell].length;
}

/**
 * Gives what a suite found as Markdown: the text that goes before it, then the sections, with
 * their charts as images in the folder `images`.
 */
export function markdownReport(
  before: string,
  sections: readonly Section[],
  images: string,
): string {
  return [
    `${wrap(before)}\n`,
    ...sections.map(({ title, text, table, charts }) =>
      [
        `### ${title}\n`,
        ...(text === "" ? [] : [`${wrap(text)}\n`]),
        markdownTable(table),
        ...charts.map((chart) => `![${chart.title}, ${chart.unit}](${images}/${chart.file})\n`),
      ].join("\n")
    ),
  ].join("\n");
}

/** Breaks paragraphs into lines of the width that the formatter wants. */
function wrap(text: string): string {
  return text.trim().split(/\s*\n{2,}/).map((paragraph) => {
    if (/^(?:- |\||```)/.test(paragraph)) return paragraph; // its lines have a meaning
    const lines = [""];
    for (const word of paragraph.split(/\s+/)) {
      const line = lines.at(-1)!;
      if (line === "") lines[lines.length - 1] = word;
      else if (line.length + 1 + word.length > LINE_WIDTH) lines.push(word);
      else lines[lines.length - 1] = `${line} ${word}`;
    }
    return lines.join("\n");
  }).join("\n\n");
}

/**
 * Replaces what stands in `page` between the comments `<!-- name -->` and `<!-- /name -->`.
 *
 * @throws {TypeError} if the page does not have one of each, in this order.
 */
export function replaceBetween(page: string, name: string, text: string): string {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [start, end] = [page.indexOf(open), page.indexOf(close)];
  const once = start === page.lastIndexOf(open) && end === page.lastIndexOf(close);
  if (start < 0 || end < start || !once) {
    throw new TypeError(`Cannot write the report: the page must have ${open} once, then ${close}`);
  }
  return `${page.slice(0, start + open.length)}\n\n${text.trim()}\n\n${page.slice(end)}`;
}
