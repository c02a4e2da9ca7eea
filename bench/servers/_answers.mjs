// What all peers in JavaScript answer with, so that they differ in how they serve only.
export const GREETING = "Hello, world";

/** The rows of the page. */
export const ROWS = Array.from({ length: 50 }, (_, id) => ({
  id,
  name: `Row <${id}> & more`,
  note: "text with nothing to escape",
}));

/** How often the streamed answer is written to, and with what. */
export const CHUNKS = 10;
export const CHUNK = "c".repeat(100);

/** How many routes with parameters there are: /route0/:order/items/:item and so on. */
export const ROUTES = 50;

/** The answer to the posted JSON. */
export function sum({ items }) {
  return { count: items.length, sum: items.reduce((total, { price }) => total + price, 0) };
}

/** The answer of a route. */
export function routed(route, order, item) {
  return `${route} ${order} ${item}`;
}

const ESCAPED = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

function escape(value) {
  return String(value).replace(/[&<>"']/g, (character) => ESCAPED[character]);
}

/** The page, for peers without a template engine. */
export function page() {
  let rows = "";
  for (const { id, name, note } of ROWS) {
    rows += `<tr><td>${escape(id)}</td><td>${escape(name)}</td><td>${escape(note)}</td></tr>\n`;
  }
  return `<title>Rows</title>\n<table>\n${rows}</table>\n`;
}
