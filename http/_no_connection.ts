import type { Future } from "../ioloop/mod.ts";
import type { IOStream } from "../iostream/mod.ts";
import type { HTTPConnection } from "./connection.ts";

/** Stands for the connection of a request that was made by hand: it cannot be answered. */
export class NoConnection implements HTTPConnection {
  readonly remoteIp = "0.0.0.0";
  readonly localAddress = "localhost";
  readonly protocol = "http";
  readonly peerCertificate = null;
  readonly dateField = "";
  onClose: (() => void) | null = null;

  time(): number {
    return performance.timeOrigin + performance.now();
  }

  writeHeaders(): Future<void> {
    return this.#refuse();
  }

  write(): Future<void> {
    return this.#refuse();
  }

  finish(): void {
    this.#refuse();
  }

  _respond(): void {
    this.#refuse();
  }

  written(): Future<void> {
    return this.#refuse();
  }

  setBodyTimeout(): void {}

  setMaxBodySize(): void {}

  abort(): void {}

  detach(): IOStream {
    return this.#refuse();
  }

  #refuse(): never {
    throw new Error("Cannot answer: the request was made without a connection");
  }
}
