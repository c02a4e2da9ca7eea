/**
 * What a record tells. A span, which has a duration, is recorded when it ends:
 *
 * | name | what it tells |
 * | --- | --- |
 * | `turn.ended` | a turn of the loop; `count`: the callbacks, timeouts and events in it |
 * | `callback.ended` | a callback that was added; `what`: its name |
 * | `timeout.ended` | a timeout that was due; `what`: the name of its callback |
 * | `event.ended` | a connection or listener on which something had completed |
 * | `flush.ended` | the writes behind a turn; `count`: the streams |
 * | `connection.accepted` | a server took a connection; `what`: the peer |
 * | `connection.opened` | a stream began to read and write |
 * | `connection.read` | `count` bytes came |
 * | `connection.wrote` | the kernel took `count` bytes |
 * | `connection.ended` | the peer sends no more |
 * | `connection.closed` | the stream closed; `what`: the error, if there was one |
 * | `request.parsed` | a request's head is complete; `what`: method and path, without the query |
 * | `request.routed` | a route was found; `what`: its pattern, "" for none |
 * | `handler.started` | its handler was made; `what`: the class |
 * | `answer.began` | the head of the answer was written; `count`: the status |
 * | `request.answered` | the answer has its end |
 * | `coroutine.started` | a coroutine began; `parent`: the one that started it; `what`: its name |
 * | `coroutine.stepped` | it ran up to a yield; `what`: its name |
 * | `coroutine.waiting` | it waits; `what`: for what; `parent`: the coroutine that it waits for |
 * | `coroutine.ended` | `what`: `returned`, `failed` or `cancelled` |
 */
export type TraceEventName =
  | "turn.ended"
  | "callback.ended"
  | "timeout.ended"
  | "event.ended"
  | "flush.ended"
  | "connection.accepted"
  | "connection.opened"
  | "connection.read"
  | "connection.wrote"
  | "connection.ended"
  | "connection.closed"
  | "request.parsed"
  | "request.routed"
  | "handler.started"
  | "answer.began"
  | "request.answered"
  | "coroutine.started"
  | "coroutine.stepped"
  | "coroutine.waiting"
  | "coroutine.ended";

/** Is one record of a {@linkcode Tracer}. */
export interface TraceEvent {
  /** What it tells. */
  readonly name: TraceEventName;
  /** When it was, or began, on the scale of the loop's `time()`. */
  readonly at: number;
  /** How long it took, in ms; 0 for what has no duration. */
  readonly ms: number;
  /** The number of the turn in which, or behind which, it was. */
  readonly turn: number;
  /** The number of the connection; 0: none. */
  readonly connection: number;
  /** The number of the request; 0: none. */
  readonly request: number;
  /** The number of the coroutine; 0: none. */
  readonly coroutine: number;
  /** The number of another coroutine: see {@linkcode TraceEventName}. */
  readonly parent: number;
  /** How many, or how much: see {@linkcode TraceEventName}. */
  readonly count: number;
  /** A name: see {@linkcode TraceEventName}. At most 120 characters. */
  readonly what: string;
}
