// The trace event format of Chrome. What the loop does one after the other are complete events
// ("X") of one thread, which nest by their times. What goes on beside each other (connections,
// requests, coroutines) are asynchronous spans ("b", "n", "e"), each with a number of its own.
// One whose beginning is not in the record, since only the last records are kept, begins with
// the first of it that is; one that goes on stays open.
import type { TraceEvent } from "./trace_event.ts";

/** One event of Chrome's format. Times are in us. */
export interface ChromeTraceEvent {
  /** What is shown. */
  readonly name: string;
  /** The phase: complete (X), asynchronous begin, instant, end (b, n, e), metadata (M). */
  readonly ph: "X" | "b" | "n" | "e" | "M";
  /** The category. */
  readonly cat?: string;
  /** When it was, or began. */
  readonly ts?: number;
  /** How long it took, of a complete one. */
  readonly dur?: number;
  /** The process. */
  readonly pid: number;
  /** The thread. */
  readonly tid: number;
  /** The number of an asynchronous one. */
  readonly id?: string;
  /** What else is known. */
  readonly args: Readonly<Record<string, string | number>>;
}

/** Is a whole file of Chrome's format. */
export interface ChromeTrace {
  /** The events, by time. */
  readonly traceEvents: readonly ChromeTraceEvent[];
  /** The unit that viewers show. */
  readonly displayTimeUnit: "ms";
}

const PROCESS = 1;
const THREAD = 1;

/** Turns the records of a tracer into a file of Chrome's format. */
export function describeChromeTrace(events: readonly TraceEvent[]): ChromeTrace {
  const start = events.reduce((first, { at }) => Math.min(first, at), Infinity);
  const tracks = new Tracks();
  const described: ChromeTraceEvent[] = [];
  for (const event of events) {
    const ts = micros(event.at - start);
    if (isSpan(event)) described.push(span(event, ts, micros(event.at + event.ms - start)));
    if (event.name === "coroutine.stepped") continue;
    const [cat, id] = trackOf(event);
    if (id > 0) described.push(...tracks.describe(event, cat, id, ts));
  }
  described.sort((one, other) => one.ts! - other.ts! || (other.dur ?? 0) - (one.dur ?? 0));
  return { traceEvents: [...METADATA, ...described], displayTimeUnit: "ms" };
}

const METADATA: readonly ChromeTraceEvent[] = [
  { name: "process_name", ph: "M", pid: PROCESS, tid: THREAD, args: { name: "Waterspout" } },
  { name: "thread_name", ph: "M", pid: PROCESS, tid: THREAD, args: { name: "loop" } },
];

function isSpan({ name }: TraceEvent): boolean {
  return name === "coroutine.stepped" ||
    (name.endsWith(".ended") && name !== "connection.ended" && name !== "coroutine.ended");
}

function span(event: TraceEvent, ts: number, end: number): ChromeTraceEvent {
  const cat = event.name.slice(0, event.name.indexOf("."));
  const { turn, count, request, coroutine } = event;
  const name = event.what === "" ? cat : `${cat} ${event.what}`;
  const args: Record<string, number> = { turn };
  if (count > 0) args["count"] = count;
  if (request > 0) args["request"] = request;
  if (coroutine > 0) args["coroutine"] = coroutine;
  return { name, ph: "X", cat, ts, dur: end - ts, pid: PROCESS, tid: THREAD, args };
}

function trackOf({ name, connection, request, coroutine }: TraceEvent): [string, number] {
  if (coroutine > 0) return ["coroutine", coroutine];
  if (name.startsWith("connection.")) return ["connection", connection];
  return ["request", request];
}

const FIRST = ["connection.accepted", "connection.opened", "request.parsed", "coroutine.started"];
const LAST = ["connection.closed", "request.answered", "coroutine.ended"];

// The asynchronous spans, each with the name with which it began.
class Tracks {
  readonly #names = new Map<number, string>();
  readonly #requests = new Map<number, number>(); // that are being answered, by connection

  describe(event: TraceEvent, cat: string, id: number, ts: number): ChromeTraceEvent[] {
    const described: ChromeTraceEvent[] = [];
    const common = { cat, ts, pid: PROCESS, tid: THREAD };
    let name = this.#names.get(id);
    const begins = name === undefined;
    if (name === undefined) {
      name = FIRST.includes(event.name) && event.what !== "" ? event.what : `${cat} ${id}`;
      this.#names.set(id, name);
      described.push({ ...common, name, ph: "b", id: hex(id), args: {} });
    }
    if (cat === "request") this.#requests.set(event.connection, id);
    if (event.name === "connection.closed") described.push(...this.#cut(event, ts));
    const args: Record<string, string | number> = { event: event.name };
    if (event.what !== "" && event.what !== name) args["what"] = event.what;
    if (event.count > 0) args["count"] = event.count;
    if (event.parent > 0) args["coroutine"] = event.parent;
    if (cat !== "connection" && event.request > 0) args["request"] = event.request;
    if (LAST.includes(event.name)) {
      described.push({ ...common, name, ph: "e", id: hex(id), args });
      if (cat === "request") this.#requests.delete(event.connection);
    } else if (!begins || !FIRST.includes(event.name)) {
      const step = event.name.slice(event.name.indexOf(".") + 1);
      described.push({ ...common, name: step, ph: "n", id: hex(id), args });
    }
    return described;
  }

  // A request whose connection closed gets no answer.
  #cut({ connection }: TraceEvent, ts: number): ChromeTraceEvent[] {
    const id = this.#requests.get(connection);
    if (id === undefined) return [];
    this.#requests.delete(connection);
    const name = this.#names.get(id)!;
    const args = { event: "connection.closed" };
    return [{ cat: "request", ts, pid: PROCESS, tid: THREAD, name, ph: "e", id: hex(id), args }];
  }
}

function hex(id: number): string {
  return `0x${id.toString(16)}`;
}

function micros(ms: number): number {
  return Math.round(ms * 1000);
}
