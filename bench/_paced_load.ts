// A load that keeps a rate whatever the server does. Request n is due at n / rate seconds, and its
// latency counts from then: a server that stands still for a tenth of a second is late for all
// the requests that were due in it, not for the few that a client which waits would have sent.
//
//   due ........ sent ........ answered
//    |  lateness  |               |
//    |--------- latency ----------|
//
// A connection carries one request at a time. What is due on a connection that still waits is sent
// when its answer is there, and was due when it was due. Lateness is told only of requests whose
// connection was free: it is the fault of this program, and must be small beside the latency.
import { parseArgs } from "node:util";
import { PacedSockets } from "./_paced_load_sockets.ts";

/** One stretch of load. */
export interface Pace {
  /** Requests in a second over all connections; `null`: each is sent when the last was answered. */
  readonly rate: number | null;
  /** How long requests are due. */
  readonly seconds: number;
}

/** Times in ms, as shares of the requests have them. */
export interface Quantiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** What came of a stretch. */
export interface Paced {
  /** Requests that were answered. */
  readonly requests: number;
  /** Requests in a second of the time that it really took. */
  readonly rate: number;
  /** From due, or from sent where there is no rate, to answered. */
  readonly latency: Quantiles;
  /** From due to sent, of requests whose connection was free; 0 where there is no rate. */
  readonly lateness: Quantiles;
}

/** Says when each request of a rate is due, and on which of the connections, which take turns. */
export class PaceSchedule {
  /** How many requests there are. */
  readonly count: number;
  readonly #interval: number; // ms
  readonly #connections: number;

  /** Spreads `rate` requests in a second evenly over `seconds`. */
  constructor(rate: number, seconds: number, connections: number) {
    if (!(rate > 0)) throw new RangeError(`Cannot pace a load: the rate is ${rate}`);
    this.count = Math.floor(rate * seconds);
    this.#interval = 1000 / rate;
    this.#connections = connections;
  }

  /** Gives the ms from the start at which a request is due, the first at 0. */
  due(request: number): number {
    return request * this.#interval;
  }

  /** Gives the connection that carries a request. */
  connectionOf(request: number): number {
    return request % this.#connections;
  }

  /** Gives when the `turn`th request of a connection is due, from 0. */
  dueOn(connection: number, turn: number): number {
    return this.due(turn * this.#connections + connection);
  }
}

/** Collects times; none is rounded or left out. */
export class TimeRecord {
  #times = new Float64Array(1024);
  #count = 0;

  /** How many there are. */
  get count(): number {
    return this.#count;
  }

  /** Adds a time. */
  push(time: number): void {
    if (this.#count === this.#times.length) {
      const times = new Float64Array(2 * this.#count);
      times.set(this.#times);
      this.#times = times;
    }
    this.#times[this.#count++] = time;
  }

  /** Gives the least time that a share of all do not exceed; 0 when there are none. */
  quantiles(): Quantiles {
    const sorted = this.#times.slice(0, this.#count).sort();
    const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
    return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
  }
}

/** Is replaced by the number of a request, so that a server sees no two that are alike. */
export const NUMBER_PLACE = "%%%%%%%%";

// How long answers may take that are still due when the time is up.
const DRAIN_MS = 5000;

/** Connections that send the same request again and again, at a pace. */
class PacedLoad {
  readonly #sockets: PacedSockets;
  readonly #request: Uint8Array<ArrayBuffer>;
  readonly #number: number; // where the request has its number; -1: nowhere
  #sent = 0;
  readonly #buffer = new Uint8Array(256 * 1024);
  readonly #missing: Int32Array; // bytes of its answer that each connection waits for; 0: it is free
  #answerSize = 0; // as long as it is not known
  #upgraded = false;

  constructor(sockets: PacedSockets, request: Uint8Array<ArrayBuffer>) {
    this.#sockets = sockets;
    this.#request = request;
    this.#number = String.fromCharCode(...request.subarray(0, 8192)).indexOf(NUMBER_PLACE);
    this.#missing = new Int32Array(sockets.count);
  }

  /**
   * Has each connection carry one request, and learns from the first how long an answer is. With
   * a `hello` a connection begins with that, and what follows its answer is of WebSockets.
   */
  open(hello: Uint8Array<ArrayBuffer> | null): void {
    this.#upgraded = hello !== null;
    for (let at = 0; at < this.#sockets.count; at++) {
      if (hello !== null) {
        this.#sockets.send(at, hello);
        this.#headOfAnswer(at);
      }
      this.#send(at);
      if (this.#answerSize > 0) { while (!this.#receive(at)); }
      else if (hello === null) this.#answerSize = this.#sizeOfAnswer(at);
      else this.#answerSize = this.#sockets.receive(at, this.#buffer); // a frame comes whole
    }
  }

  /** Sends when the last was answered, on all connections. */
  saturate(seconds: number): Paced {
    const latency = new TimeRecord();
    const sent = new Float64Array(this.#sockets.count);
    const start = performance.now();
    const end = start + seconds * 1000;
    let now = start;
    let waiting = sent.length;
    const send = (at: number) => {
      sent[at] = now;
      this.#send(at);
    };
    const receive = (at: number) => {
      if (!this.#receive(at)) return;
      latency.push(now - sent[at]!);
      if (now < end) send(at);
      else waiting--;
    };
    for (let at = 0; at < sent.length; at++) send(at);
    while (waiting > 0) {
      const ready = this.#sockets.wait(DRAIN_MS);
      now = performance.now();
      if (ready === 0) throw new Error(`Cannot go on: ${waiting} answers do not come`);
      for (let i = 0; i < ready; i++) receive(this.#sockets.ready(i));
    }
    return this.#result(latency, new TimeRecord(), now - start);
  }

  /** Sends what is due, when it is due. */
  keepPace(rate: number, seconds: number): Paced {
    const schedule = new PaceSchedule(rate, seconds, this.#sockets.count);
    const latency = new TimeRecord();
    const lateness = new TimeRecord();
    const turns = new Uint32Array(this.#sockets.count); // requests that were answered
    const owed = new Uint32Array(this.#sockets.count); // due and not answered, the one sent included
    const start = performance.now();
    let next = 0;
    let left = schedule.count;
    while (left > 0) {
      let now = performance.now() - start;
      for (; next < schedule.count && schedule.due(next) <= now; next++) {
        const at = schedule.connectionOf(next);
        if (owed[at]!++ > 0) continue; // goes when the answer is there
        now = performance.now() - start;
        lateness.push(now - schedule.due(next));
        this.#send(at);
      }
      const pause = next < schedule.count ? schedule.due(next) - now : DRAIN_MS;
      const ready = this.#sockets.wait(Math.max(0, pause));
      if (ready === 0 && next === schedule.count) {
        throw new Error(`Cannot go on: ${left} answers do not come`);
      }
      for (let i = 0; i < ready; i++) {
        const at = this.#sockets.ready(i);
        if (!this.#receive(at)) continue;
        now = performance.now() - start;
        latency.push(now - schedule.dueOn(at, turns[at]!++));
        left--;
        if (--owed[at]! > 0) this.#send(at);
      }
    }
    return this.#result(latency, lateness, performance.now() - start);
  }

  #result(latency: TimeRecord, lateness: TimeRecord, took: number): Paced {
    return {
      requests: latency.count,
      rate: latency.count / took * 1000,
      latency: latency.quantiles(),
      lateness: lateness.quantiles(),
    };
  }

  #send(at: number): void {
    this.#missing[at] = this.#answerSize;
    if (this.#number >= 0) this.#writeNumber();
    this.#sockets.send(at, this.#request);
  }

  #writeNumber(): void {
    let rest = this.#sent++;
    for (let at = this.#number + NUMBER_PLACE.length; --at >= this.#number;) {
      this.#request[at] = 0x30 + rest % 10;
      rest = Math.floor(rest / 10);
    }
  }

  /** Takes what came on a connection; tells whether its answer is there. */
  #receive(at: number): boolean {
    const count = this.#sockets.receive(at, this.#buffer);
    const missing = this.#missing[at]!;
    if (missing === this.#answerSize) this.#checkStatus(count);
    if (count > missing) throw new Error("Cannot go on: answers differ in length");
    this.#missing[at] = missing - count;
    return count === missing;
  }

  #checkStatus(count: number): void {
    // At 9 the status begins; frames have none.
    if (this.#upgraded || this.#buffer[9] === 0x32 && count > 9) return;
    const text = new TextDecoder().decode(this.#buffer.subarray(0, Math.min(count, 200)));
    throw new Error(`Cannot go on: the server answered ${text}`);
  }

  /** Reads what comes, to the end of a head at least. */
  #headOfAnswer(at: number): string {
    for (let text = "";;) {
      const count = this.#sockets.receive(at, this.#buffer);
      text += String.fromCharCode(...this.#buffer.subarray(0, count));
      if (!/^HTTP\/1\.1 (101|2)/.test(text)) {
        throw new Error(`Cannot go on: the server answered ${text}`);
      }
      if (text.includes("\r\n\r\n")) return text;
    }
  }

  /** Reads an answer whose length nobody knows yet, and gives it. */
  #sizeOfAnswer(at: number): number {
    const text = this.#headOfAnswer(at);
    const length = /^content-length: *(\d+)$/im.exec(text)?.[1];
    if (length === undefined) throw new TypeError(`Cannot count answers: no length in ${text}`);
    const size = text.indexOf("\r\n\r\n") + 4 + Number(length);
    for (let have = text.length; have < size;) have += this.#sockets.receive(at, this.#buffer);
    return size;
  }
}

// Prints a line when the connections are there. Then each line of standard input is a Pace, and
// is answered by a line that holds a Paced. It waits in the kernel, for which nothing else in this
// process may wait: hence no promise from here on.
function main(): void {
  const { values } = parseArgs({
    options: {
      port: { type: "string" },
      connections: { type: "string", default: "64" },
      head: { type: "string" },
      hello: { type: "string" },
      "body-size": { type: "string", default: "0" },
    },
  });
  const port = Number(values.port);
  const bytesOf = (base64: string) => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  const head = bytesOf(values.head!);
  const request = new Uint8Array(head.length + Number(values["body-size"]));
  request.set(head);
  using sockets = new PacedSockets(port, Number(values.connections));
  const load = new PacedLoad(sockets, request);
  load.open(values.hello === undefined ? null : bytesOf(values.hello));
  const print = (line: unknown) => {
    Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(line)}\n`));
  };
  print({ connections: sockets.count });
  const buffer = new Uint8Array(1024);
  for (;;) {
    const count = Deno.stdin.readSync(buffer);
    if (count === null) return;
    const { rate, seconds } = JSON.parse(new TextDecoder().decode(buffer.subarray(0, count)));
    print(rate === null ? load.saturate(seconds) : load.keepPace(rate, seconds));
  }
}

if (import.meta.main) main();
