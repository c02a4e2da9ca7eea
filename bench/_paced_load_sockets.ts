// Sockets by way of the C library: a load generator in plain Deno takes as much processor time for
// a request as the server, and its timers have ms, so that it would measure itself. Here a request
// is three system calls, and a wait ends within some 0.05 ms of when it should. Linux only.

const LIBC = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  close: { parameters: ["i32"], result: "i32" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  ppoll: { parameters: ["buffer", "usize", "buffer", "pointer"], result: "i32" },
  prctl: { parameters: ["i32", "usize", "usize", "usize", "usize"], result: "i32" },
} as const;

// From the headers of Linux, for 64-bit machines.
const AF_INET = 2;
const SOCK_STREAM = 1;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const MSG_NOSIGNAL = 0x4000;
const EPOLL_CTL_ADD = 1;
const EPOLLIN = 1;
const POLLIN = 1;
const PR_SET_TIMERSLACK = 29;
const EVENT_SIZE = Deno.build.arch === "x86_64" ? 12 : 16; // packed there, and nowhere else
const EVENT_DATA = EVENT_SIZE - 8;

const MAX_EVENTS = 256;

/** Connections to a port of 127.0.0.1, by number from 0; every failure is an exception. */
export class PacedSockets implements Disposable {
  /** How many there are. */
  readonly count: number;
  readonly #library = Deno.dlopen("libc.so.6", LIBC);
  readonly #libc = this.#library.symbols;
  readonly #files: Int32Array;
  readonly #epoll: number;
  readonly #events = new DataView(new ArrayBuffer(MAX_EVENTS * EVENT_SIZE));
  readonly #polled = new DataView(new ArrayBuffer(8)); // struct pollfd, of the epoll itself
  readonly #time = new DataView(new ArrayBuffer(16)); // struct timespec

  /** Connects. */
  constructor(port: number, count: number) {
    this.count = count;
    this.#files = new Int32Array(count);
    this.#libc.prctl(PR_SET_TIMERSLACK, 1n, 0n, 0n, 0n); // or waits are 50 us too long
    this.#epoll = this.#checked("epoll_create1", this.#libc.epoll_create1(0));
    this.#polled.setInt32(0, this.#epoll, true);
    this.#polled.setInt16(4, POLLIN, true);
    const address = new DataView(new ArrayBuffer(16)); // struct sockaddr_in
    address.setUint16(0, AF_INET, true);
    address.setUint16(2, port);
    address.setUint32(4, 0x7f000001);
    for (let at = 0; at < count; at++) this.#files[at] = this.#connect(at, address);
  }

  /** Sends all of `data`; waits where the server does not take it. */
  send(at: number, data: Uint8Array<ArrayBuffer>): void {
    for (let sent = 0; sent < data.length;) {
      const rest = sent === 0 ? data : data.subarray(sent);
      const count = this.#libc.send(this.#files[at]!, rest, BigInt(rest.length), MSG_NOSIGNAL);
      sent += this.#checked("send", Number(count));
    }
  }

  /** Takes what has come, or waits for it; gives the number of bytes. */
  receive(at: number, buffer: Uint8Array<ArrayBuffer>): number {
    const count = Number(this.#libc.recv(this.#files[at]!, buffer, BigInt(buffer.length), 0));
    if (count === 0) throw new Error("Cannot go on: the server closed");
    return this.#checked("recv", count);
  }

  /** Waits until something came, at most `ms`; gives the number of connections it came on. */
  wait(ms: number): number {
    const nanoseconds = Math.floor(ms * 1e6);
    this.#time.setBigInt64(0, BigInt(Math.floor(nanoseconds / 1e9)), true);
    this.#time.setBigInt64(8, BigInt(nanoseconds % 1e9), true);
    const polled = this.#libc.ppoll(this.#polled.buffer, 1n, this.#time.buffer, null);
    if (this.#checked("ppoll", polled) === 0) return 0;
    const events = this.#libc.epoll_wait(this.#epoll, this.#events.buffer, MAX_EVENTS, 0);
    return this.#checked("epoll_wait", events);
  }

  /** Gives the `index`th of the connections that the last wait found. */
  ready(index: number): number {
    return this.#events.getUint32(index * EVENT_SIZE + EVENT_DATA, true);
  }

  /** Closes all. */
  [Symbol.dispose](): void {
    for (const file of this.#files) this.#libc.close(file);
    this.#libc.close(this.#epoll);
    this.#library.close();
  }

  #connect(at: number, address: DataView<ArrayBuffer>): number {
    const file = this.#checked("socket", this.#libc.socket(AF_INET, SOCK_STREAM, 0));
    this.#checked("connect", this.#libc.connect(file, address.buffer, address.byteLength));
    const on = Int32Array.of(1);
    this.#checked(
      "setsockopt",
      this.#libc.setsockopt(file, IPPROTO_TCP, TCP_NODELAY, on.buffer, 4),
    );
    const event = new DataView(new ArrayBuffer(EVENT_SIZE));
    event.setUint32(0, EPOLLIN, true);
    event.setUint32(EVENT_DATA, at, true);
    const control = this.#libc.epoll_ctl(this.#epoll, EPOLL_CTL_ADD, file, event.buffer);
    this.#checked("epoll_ctl", control);
    return file;
  }

  #checked(what: string, result: number): number {
    if (result < 0) throw new Error(`Cannot go on: ${what} failed`);
    return result;
  }
}
