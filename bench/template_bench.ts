import { Eta } from "npm:eta@^4.6.0";
import nunjucks from "npm:nunjucks@^3.2.4";
import { Template } from "../web/template/mod.ts";

/** A page as three engines write it. */
interface Page {
  readonly group: string;
  readonly template: string;
  readonly eta: string;
  readonly nunjucks: string;
  readonly args: object;
}

const TABLE: Page = {
  group: "table of 100 rows, 400 escaped values, 10 KiB",
  template: "<title>{{ title }}</title>\n<table>\n{% for row of rows %}<tr>" +
    "<td>{{ row.id }}</td><td>{{ row.name }}</td><td>{{ row.note }}</td><td>{{ row.price }}</td>" +
    "</tr>\n{% end %}</table>",
  eta: "<title><%= it.title %></title>\n<table>\n<% for (const row of it.rows) { %><tr>" +
    "<td><%= row.id %></td><td><%= row.name %></td><td><%= row.note %></td>" +
    "<td><%= row.price %></td></tr>\n<% } %></table>",
  nunjucks: "<title>{{ title }}</title>\n<table>\n{% for row in rows %}<tr>" +
    "<td>{{ row.id }}</td><td>{{ row.name }}</td><td>{{ row.note }}</td><td>{{ row.price }}</td>" +
    "</tr>\n{% endfor %}</table>",
  args: {
    title: "Rows & columns",
    rows: Array.from({ length: 100 }, (_, id) => ({
      id,
      name: `Row <${id}> & more`,
      note: "text with nothing to escape",
      price: id * 1.5,
    })),
  },
};

const GREETING: Page = {
  group: "one line, 2 escaped values",
  template: "<p>Hello, {{ name }}, you have {{ count }} letters</p>",
  eta: "<p>Hello, <%= it.name %>, you have <%= it.count %> letters</p>",
  nunjucks: "<p>Hello, {{ name }}, you have {{ count }} letters</p>",
  args: { name: "Ada <b>", count: 3 },
};

const eta = new Eta({ autoEscape: true, autoTrim: false });
const environment = new nunjucks.Environment(null, { autoescape: true });
const encoder = new TextEncoder();

function benchPage({ group, ...page }: Page): void {
  const template = new Template(page.template);
  const etaTemplate = eta.compile(page.eta).bind(eta);
  const nunjucksTemplate = nunjucks.compile(page.nunjucks, environment);
  const engines: [string, () => string][] = [
    ["Template", () => template.generate(page.args)],
    ["eta", () => etaTemplate(page.args)],
    ["nunjucks", () => nunjucksTemplate.render(page.args)],
  ];
  const texts = engines.map(([, render]) => render().replace(/&#x27;|&#39;/g, "'"));
  if (new Set(texts).size !== 1) throw new Error(`Cannot compare: the pages of ${group} differ`);
  for (const [name, render] of engines) {
    // Encoded, as it is sent: text that is only joined has not cost all that it will.
    Deno.bench(`${group}: ${name}`, { group, baseline: name === "eta" }, () => {
      encoder.encode(render());
    });
  }
}

benchPage(TABLE);
benchPage(GREETING);

Deno.bench("compile the table: Template", { group: "compile" }, () => {
  new Template(TABLE.template).generate(TABLE.args);
});

Deno.bench("compile the table: eta", { group: "compile", baseline: true }, () => {
  eta.compile(TABLE.eta).call(eta, TABLE.args);
});
