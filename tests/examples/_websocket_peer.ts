/** A WebSocket of the runtime, whose messages are taken one by one. */
export class WebSocketPeer {
  readonly #socket: WebSocket;
  readonly #opened: Promise<unknown>;
  readonly closed: Promise<number>;
  readonly #messages: (string | Uint8Array)[] = [];
  #wake: () => void = () => {};

  constructor(url: string) {
    const socket = this.#socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      this.#messages.push(typeof data === "string" ? data : new Uint8Array(data));
      this.#wake();
    };
    this.#opened = new Promise((resolve) => socket.onopen = resolve);
    this.closed = new Promise((resolve) => socket.onclose = ({ code }) => resolve(code));
  }

  async send(message: string | Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#opened;
    this.#socket.send(message);
  }

  async next(): Promise<string | Uint8Array> {
    while (this.#messages.length === 0) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return this.#messages.shift()!;
  }

  async close(): Promise<void> {
    this.#socket.close(1000);
    await this.closed;
  }
}
