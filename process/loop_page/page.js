// Draws what the server tells of its loop. Records come in batches over the WebSocket; `apply`
// sorts them into connections, requests and coroutines, and `draw` shows that a few times in a
// second. All that lists may hold is bounded: the page may be left open for days.

const NAMES = [
  "name",
  "at",
  "ms",
  "turn",
  "connection",
  "request",
  "coroutine",
  "parent",
  "count",
  "what",
];
const MAX_CONNECTIONS = 200;
const MAX_COROUTINES = 500;
const MAX_ROWS = 16; // connections that are drawn
const MAX_WAY = 200; // steps of one connection
const MAX_SLOW = 12;
const MAX_GAPS = 300;
const DRAW_MS = 200;
const RETRY_MS = 1000;
const SVG = "http://www.w3.org/2000/svg";

const STEPS = [
  { key: "callback", title: "callbacks", x: 160, y: 52 },
  { key: "timeout", title: "timeouts", x: 258, y: 150 },
  { key: "event", title: "events", x: 160, y: 248 },
  { key: "flush", title: "flush", x: 62, y: 150 },
];

// What the steps of a connection's way are called.
const STAGES = {
  "connection.accepted": "accept",
  "connection.opened": "stream",
  "connection.read": "read",
  "connection.wrote": "write",
  "connection.ended": "peer's end",
  "connection.closed": "close",
  "request.parsed": "parse",
  "request.routed": "route",
  "handler.started": "handler",
  "answer.began": "answer",
  "request.answered": "answered",
  "coroutine.started": "coroutine",
  "coroutine.stepped": "step",
  "coroutine.waiting": "waits for",
  "coroutine.ended": "coroutine",
};

const byId = (id) => document.getElementById(id);

let connections;
let coroutines;
let slow; // callbacks that took long
let gaps; // stretches that were not recorded
let totals;
let chosen; // the number of a connection, null for none
let clock = 0; // the server's time of the last batch
let clockAt = performance.now(); // and when that came
let paused = false;
const heat = { callback: 0, timeout: 0, event: 0, flush: 0 };

function clear() {
  connections = new Map();
  coroutines = new Map();
  slow = [];
  gaps = [];
  totals = { callback: 0, timeout: 0, event: 0, flush: 0, turns: 0, recent: [] };
  chosen = null;
  byId("notice").hidden = true;
}

/** What the time is over there. */
function now() {
  return clock + (performance.now() - clockAt);
}

function connectionOf({ connection, at }) {
  let known = connections.get(connection);
  if (known === undefined) {
    known = {
      id: connection,
      peer: "",
      label: "", // its last request
      since: at,
      heard: at, // when something happened to it
      until: null, // when it closed
      parts: [], // what is drawn
      way: [], // what is listed
    };
    connections.set(connection, known);
    if (connections.size > MAX_CONNECTIONS) dropConnection();
  }
  return known;
}

/** Drops the connection that closed first or, if all are open, the oldest. */
function dropConnection() {
  const [oldest] = connections.values();
  const closed = [...connections.values()].find(({ until }) => until !== null);
  connections.delete((closed ?? oldest).id);
}

function apply(event) {
  const { name, at, ms } = event;
  const [kind] = name.split(".");
  if (kind in heat) {
    totals[kind] += kind === "flush" ? event.count : 1;
    heat[kind] = 1;
  }
  if (name === "turn.ended") {
    totals.turns++;
    totals.recent.push({ at, ms });
  }
  if (["callback", "timeout", "event"].includes(kind) || name === "coroutine.stepped") {
    const what = `${kind === "coroutine" ? "step of" : kind} ${event.what}`;
    if (ms >= Number(byId("slow").value)) slow.unshift({ what, ms, turn: event.turn });
    slow.length = Math.min(slow.length, MAX_SLOW);
  }
  if (kind === "coroutine") applyCoroutine(event);
  if (event.connection > 0) applyConnection(event);
}

function applyCoroutine({ name, at, ms, coroutine, parent, request, what }) {
  if (name === "coroutine.ended") {
    coroutines.delete(coroutine);
    return;
  }
  let known = coroutines.get(coroutine);
  if (known === undefined) {
    if (coroutines.size === MAX_COROUTINES) return;
    known = {
      id: coroutine,
      name: what,
      parent: 0,
      request,
      waits: "",
      since: at,
      steps: 0,
      ms: 0,
    };
    coroutines.set(coroutine, known);
  }
  if (name === "coroutine.started") {
    known.name = what;
    known.parent = parent;
  } else if (name === "coroutine.stepped") {
    known.name = what;
    known.steps++;
    known.ms += ms;
  } else {
    known.waits = parent > 0 ? `coroutine ${what} #${parent}` : what;
    known.since = at;
  }
}

function applyConnection(event) {
  const { name, at, ms, count, what } = event;
  const connection = connectionOf(event);
  const { parts } = connection;
  connection.heard = at;
  switch (name) {
    case "connection.accepted":
      connection.peer = what;
      break;
    case "connection.read":
      parts.push({ kind: "read", at, request: 0 });
      break;
    case "connection.wrote":
      parts.push({ kind: "write", at, request: 0 });
      break;
    case "connection.closed":
      connection.until = at;
      for (const part of parts) part.until ??= at;
      break;
    case "request.parsed":
      connection.label = what;
      parts.push({ kind: "request", at, until: null, request: event.request });
      break;
    case "answer.began":
      connection.label = `${connection.label.replace(/ \u2192 \d+$/, "")} \u2192 ${count}`;
      break;
    case "request.answered": {
      const part = parts.findLast(({ kind, request }) =>
        kind === "request" && request === event.request
      );
      if (part !== undefined) part.until = at;
      break;
    }
    case "coroutine.stepped":
      parts.push({ kind: "step", at, until: at + ms, request: 0 });
  }
  const text = name === "answer.began"
    ? `status ${count}`
    : count > 0
    ? `${count} bytes`
    : name === "request.routed" && what === ""
    ? "none"
    : what;
  const who = event.coroutine > 0 && name !== "coroutine.waiting" ? ` #${event.coroutine}` : "";
  connection.way.push({ at, ms, stage: STAGES[name] ?? name, text: text + who });
  if (connection.way.length > MAX_WAY) connection.way.splice(0, MAX_WAY / 4);
  if (parts.length > 4 * MAX_WAY) parts.splice(0, MAX_WAY);
}

/** Nobody told what ended while nothing was recorded: what goes on will be heard of again. */
function forgetWhatMayHaveEnded(at) {
  coroutines.clear();
  for (const { parts } of connections.values()) {
    for (const part of parts) if (part.until === null) part.until = at;
  }
}

function take({ now: at, cut, events }) {
  clock = at;
  clockAt = performance.now();
  if (paused) return;
  for (const values of events) {
    apply(Object.fromEntries(NAMES.map((name, i) => [name, values[i]])));
  }
  if (cut) {
    const last = events.at(-1);
    gaps.push({ at: last === undefined ? at : last[1] + last[2], until: at });
    gaps.splice(0, gaps.length - MAX_GAPS);
    forgetWhatMayHaveEnded(gaps.at(-1).at);
    const notice = byId("notice");
    notice.hidden = false;
    notice.textContent = `The loop is busy: of each tenth of a second the first ${events.length} ` +
      "records are shown. Numbers count these, and what is open may have ended.";
  }
}

/** Makes an element of SVG with attributes, and with text in it. */
function shape(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  if (text !== undefined) element.textContent = text;
  return element;
}

/** Makes an element with children, which are elements or text. */
function tag(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  element.append(...children);
  return element;
}

const centred = { "text-anchor": "middle" };

function makeRing() {
  const ring = byId("ring");
  ring.append(shape("circle", { class: "track", cx: 160, cy: 150, r: 98 }));
  for (const angle of [45, 135, 225, 315]) {
    ring.append(shape("path", {
      class: "arrow",
      d: "M -6 -6 L 7 0 L -6 6 Z",
      transform: `rotate(${angle} 160 150) translate(160 52)`,
    }));
  }
  STEPS.forEach(({ key, title, x, y }, i) => {
    ring.append(
      shape("circle", { class: "node", cx: x, cy: y, r: 42 }),
      shape("circle", { class: "heat", id: `heat-${key}`, cx: x, cy: y, r: 42, opacity: 0 }),
      shape("text", { ...centred, class: "name", x, y: y - 8 }, `${i + 1} ${title}`),
      shape("text", { ...centred, id: `total-${key}`, x, y: y + 12 }, "0"),
    );
  });
  ring.append(
    shape("text", { ...centred, class: "big", id: "turns", x: 160, y: 150 }, "0"),
    shape("text", { ...centred, class: "quiet", x: 160, y: 168 }, "turns"),
    shape("text", { ...centred, class: "quiet", id: "busy", x: 160, y: 186 }, ""),
  );
}

function drawRing() {
  const since = now() - 1000;
  totals.recent = totals.recent.filter(({ at }) => at >= since);
  const busy = totals.recent.reduce((sum, { ms }) => sum + ms, 0) / 10;
  byId("turns").textContent = String(totals.turns);
  byId("busy").textContent = `${totals.recent.length} / s, ${
    Math.min(busy, 100).toFixed(1)
  } % busy`;
  for (const { key } of STEPS) {
    byId(`heat-${key}`).setAttribute("opacity", (heat[key] * .35).toFixed(2));
    byId(`total-${key}`).textContent = String(totals[key]);
    heat[key] = heat[key] > .05 ? heat[key] * .7 : 0;
  }
  const counts = STEPS.map(({ key, title }) => `${totals[key]} ${title}`).join(", ");
  byId("ring").setAttribute("aria-label", `The four steps of a turn: ${counts}`);
}

function drawTimeline() {
  const span = Number(byId("span").value);
  const end = now();
  const start = end - span;
  const lastGap = gaps.at(-1)?.until ?? 0;
  const x = (at) => `${(Math.max(0, Math.min(1, (at - start) / span)) * 100).toFixed(3)}%`;
  const width = (at, until) => {
    const share = (Math.min(until ?? end, end) - Math.max(at, start)) / span;
    return `max(2px, ${(Math.max(0, share) * 100).toFixed(3)}%)`;
  };
  const block = (kind, at, until, y, height) => {
    const rect = shape("rect", { class: kind, x: x(at), y, height, rx: 2 });
    rect.style.width = width(at, until);
    return rect;
  };
  const shown = [...connections.values()]
    .filter(({ until, heard }) => (until ?? (heard < lastGap ? heard : end)) >= start)
    .slice(-MAX_ROWS);
  const rows = shown.map((connection) => drawRow(connection, start, x, block));
  const axis = shape("svg", { "aria-hidden": "true" });
  for (let i = 0; i <= 4; i++) {
    const anchor = ["start", "middle", "middle", "middle", "end"][i];
    const text = i === 4 ? "now" : `\u2212${(span / 1000) * (1 - i / 4)} s`;
    axis.append(
      shape("text", { class: "quiet", x: `${i * 25}%`, y: 16, "text-anchor": anchor }, text),
    );
  }
  const timeline = byId("timeline");
  const focused = document.activeElement?.dataset?.connection;
  timeline.replaceChildren(
    ...rows,
    rows.length > 0
      ? tag("div", { class: "axis" }, tag("span", {}), axis)
      : tag("p", { class: "empty" }, "Nothing yet. Open a page of this server in another tab."),
  );
  if (focused !== undefined) timeline.querySelector(`[data-connection="${focused}"]`)?.focus();
}

function drawRow(connection, start, x, block) {
  const { id, peer, since, until, parts, label } = connection;
  const name = `#${id} ${label || peer || "connection"}`;
  const line = shape("svg", { "aria-hidden": "true" });
  for (const gap of gaps) {
    if (gap.until >= start) line.append(block("gap", gap.at, gap.until, 0, 24));
  }
  line.append(
    shape("line", {
      class: "life",
      x1: x(since),
      x2: until === null ? "100%" : x(until),
      y1: 12,
      y2: 12,
    }),
  );
  for (const { kind, at, until } of parts) {
    if ((until ?? Infinity) < start || (until === undefined && at < start)) continue;
    if (kind === "request") line.append(block("request", at, until, 5, 14));
    else if (kind === "step") line.append(block("step", at, until, 8, 8));
    else line.append(block(kind, at, at, kind === "read" ? 1 : 17, 6));
  }
  if (until !== null) line.append(shape("circle", { class: "end", cx: x(until), cy: 12, r: 3 }));
  const pressed = String(id === chosenConnection()?.id);
  const row = tag(
    "button",
    { class: "row", "data-connection": id, "aria-pressed": pressed, title: `${name} ${peer}` },
    tag("span", {}, name),
    line,
  );
  row.addEventListener("click", () => {
    chosen = id;
    draw();
  });
  return row;
}

/** The connection that was chosen or, without one, the last that brought a request. */
function chosenConnection() {
  const known = chosen === null ? undefined : connections.get(chosen);
  return known ?? [...connections.values()].findLast(({ label }) => label !== "");
}

function drawWay() {
  const connection = chosenConnection();
  byId("way-title").textContent = connection === undefined
    ? "The way of a connection"
    : `The way of connection #${connection.id}`;
  const way = (connection?.way ?? []).toSorted((one, other) => one.at - other.at);
  const [first] = way;
  byId("way").replaceChildren(...way.map(({ at, ms, stage, text }) =>
    tag(
      "li",
      {},
      tag("span", { class: "time" }, `${(at - first.at).toFixed(2)} ms`),
      tag("span", { class: "stage" }, stage),
      tag("span", { class: "what" }, text, ms > 0 ? tag("small", {}, ` ${ms.toFixed(2)} ms`) : ""),
    )
  ));
}

function drawCoroutines() {
  const children = Map.groupBy(
    coroutines.values(),
    ({ parent }) => coroutines.has(parent) ? parent : 0,
  );
  const list = (parent) =>
    tag(
      "ul",
      {},
      ...(children.get(parent) ?? []).slice(0, MAX_ROWS).map((coroutine) => {
        const { id, name, waits, since, steps, request } = coroutine;
        const waited = Math.max(0, now() - since) / 1000;
        const item = tag(
          "li",
          {},
          tag("b", {}, name),
          ` waits for ${waits || "its first step"} `,
          tag(
            "small",
            {},
            `#${id}, ${waited.toFixed(1)} s, steps: ${steps}` +
              (request > 0 ? `, request #${request}` : ""),
          ),
        );
        if (children.has(id)) item.append(list(id));
        return item;
      }),
    );
  const nothing = tag("p", { class: "empty" }, "None waits.");
  byId("coroutines").replaceChildren(coroutines.size > 0 ? list(0) : nothing);
}

function drawSlow() {
  byId("slow-rows").replaceChildren(
    ...slow.map(({ what, ms, turn }) =>
      tag("tr", {}, tag("td", {}, what), tag("td", {}, ms.toFixed(1)), tag("td", {}, String(turn)))
    ),
  );
}

function draw() {
  drawRing();
  drawTimeline();
  drawWay();
  drawCoroutines();
  drawSlow();
}

function connect() {
  const url = new URL(`${document.body.dataset.folder}/socket`, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const socket = new WebSocket(url);
  const status = byId("status");
  socket.onopen = () => {
    clear(); // numbers of another life of the server mean something else
    status.textContent = "connected";
  };
  socket.onmessage = ({ data }) => take(JSON.parse(data));
  socket.onclose = () => {
    status.textContent = "disconnected, trying again";
    setTimeout(connect, RETRY_MS);
  };
}

byId("pause").addEventListener("click", ({ currentTarget }) => {
  paused = !paused;
  currentTarget.setAttribute("aria-pressed", String(paused));
  currentTarget.textContent = paused ? "Go on" : "Pause";
  if (!paused) clear(); // what came meanwhile is not known
});
byId("span").addEventListener("change", draw);
byId("clear").addEventListener("click", () => {
  clear();
  draw();
});
clear();
makeRing();
draw();
connect();
setInterval(() => {
  if (!paused && !document.hidden) draw();
}, DRAW_MS);
