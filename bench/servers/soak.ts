// A server with some of everything, and with short times, so that they are up often: what the soak
// loads. `/status` collects the garbage and tells what is there; it needs --expose-gc.
import { configureSync, type LogRecord } from "@logtape/logtape";
import { type CoroutineGenerator, locks, sleep } from "@waterspout/waterspout/gen";
import { HTTPServer, type HTTPServerPeer } from "@waterspout/waterspout/http";
import { IOLoop, PeriodicCallback } from "@waterspout/waterspout/ioloop";
import type { IOStream } from "@waterspout/waterspout/iostream";
import { onShutdown } from "@waterspout/waterspout/process";
import {
  Application,
  DictLoader,
  RequestHandler,
  streamRequestBody,
} from "@waterspout/waterspout/web";
import { type CompressionOptions, Room, WebSocketHandler } from "@waterspout/waterspout/websocket";
import { SOAK_LIMITS, type SoakStatus } from "../_soak_status.ts";

const CHUNKS = 20;
const CHUNK = "c".repeat(1000);
const ROWS = Array.from({ length: 20 }, (_, at) => ({ id: at, name: `<row & ${at}>` }));
const LARGE = new Uint8Array(8 * 1024 * 1024); // one for all, or memory would go up and down with it
const NEWS_MILLISECONDS = 250;
const ERRORS_SHOWN = 10;

const encoder = new TextEncoder();

/** What is under way, and what went wrong; the status tells it. */
class Counts {
  connections = 0;
  coroutines = 0;
  errors = 0;
}

const counts = new Counts();
const room = new Room<Echo>();
const news = new locks.Condition();

class Plain extends RequestHandler {
  override get(): void {
    this.write("Hello, world");
  }
}

class Page extends RequestHandler {
  override get(): void {
    this.setCookie("seen", "yes");
    this.render("page.html", { rows: ROWS });
  }
}

class Waiting extends RequestHandler {
  override *get(): CoroutineGenerator {
    counts.coroutines++;
    try {
      yield* sleep(5);
      this.write("waited");
    } finally {
      counts.coroutines--;
    }
  }
}

class Streamed extends RequestHandler {
  override *get(): CoroutineGenerator {
    counts.coroutines++;
    try {
      for (let i = 0; i < CHUNKS; i++) {
        this.write(CHUNK);
        yield* this.flush();
        yield* sleep(1);
      }
    } finally {
      counts.coroutines--;
    }
  }
}

/** Sends more than what lies between here and a client that does not read. */
class Large extends RequestHandler {
  override get(): void {
    this.write(LARGE);
  }

  override computeEtag(): null {
    return null;
  }
}

class Upload extends RequestHandler {
  override post(): void {
    this.write(String(this.request.body.length));
  }
}

@streamRequestBody
class StreamedUpload extends RequestHandler {
  #length = 0;

  override dataReceived(chunk: Uint8Array): void {
    this.#length += chunk.length;
  }

  override post(): void {
    this.write(String(this.#length));
  }
}

class Poll extends RequestHandler {
  override *get(): CoroutineGenerator {
    counts.coroutines++;
    try {
      yield* news.wait();
      this.write("news");
    } finally {
      counts.coroutines--;
    }
  }
}

class Echo extends WebSocketHandler {
  override open(): void {
    room.join(this);
  }

  override onMessage(message: string | Uint8Array): void {
    if (message === "broadcast") room.broadcast("news");
    else this.writeMessage(message);
  }

  override getCompressionOptions(): CompressionOptions {
    return {};
  }
}

class Status extends RequestHandler {
  override async get(): Promise<void> {
    const { gc } = globalThis as unknown as { gc(): void };
    for (let i = 0; i < 2; i++) { // what one collection frees may hold what the next one frees
      gc();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const { rss, heapUsed, external } = Deno.memoryUsage();
    const { connections, coroutines, errors } = counts;
    this.write(
      {
        pid: Deno.pid,
        resident: rss,
        live: heapUsed + external,
        connections,
        webSockets: room.size,
        coroutines,
        errors,
      } satisfies SoakStatus,
    );
  }
}

/** Knows how many connections speak HTTP. */
class CountingServer extends HTTPServer {
  override handleStream(stream: IOStream, address: Deno.Addr): void {
    counts.connections++;
    super.handleStream(stream, address);
  }

  override onClose(connection: HTTPServerPeer): void {
    counts.connections--;
    super.onClose(connection);
  }
}

function countErrors({ message, properties }: LogRecord): void {
  if (counts.errors++ >= ERRORS_SHOWN) return;
  const error = properties["error"];
  const text = error instanceof Error ? error.stack : "";
  Deno.stderr.writeSync(encoder.encode(`server: ${message.join("")} ${text}\n`));
}

async function main(port: number): Promise<void> {
  configureSync({
    sinks: { errors: countErrors },
    loggers: [
      { category: "waterspout", sinks: ["errors"], lowestLevel: "error" },
      { category: ["logtape", "meta"], sinks: [] },
    ],
  });
  const loop = new IOLoop();
  const app = new Application([
    ["/", Plain],
    ["/page", Page],
    ["/wait", Waiting],
    ["/stream", Streamed],
    ["/large", Large],
    ["/upload", Upload],
    ["/streamed-upload", StreamedUpload],
    ["/poll", Poll],
    ["/echo", Echo],
    ["/status", Status],
  ], {
    compressResponse: true,
    templateLoader: new DictLoader({
      "page.html": "{% for row of rows %}<p>{{ row.id }}: {{ row.name }}</p>{% end %}",
    }),
    websocketPingInterval: SOAK_LIMITS.pingInterval,
    websocketMaxMessageSize: SOAK_LIMITS.messageSize,
  });
  const server = new CountingServer(app, {
    maxHeaderSize: SOAK_LIMITS.headerSize,
    maxBodySize: SOAK_LIMITS.bodySize,
    headerTimeout: SOAK_LIMITS.time,
    bodyTimeout: SOAK_LIMITS.time,
    writeTimeout: SOAK_LIMITS.time,
    idleConnectionTimeout: SOAK_LIMITS.idleTime,
  });
  server.listen(port, "127.0.0.1");
  new PeriodicCallback(() => news.notifyAll(), NEWS_MILLISECONDS).start();
  onShutdown(() => loop.addCallbackFromSignal(() => loop.stop()));
  loop.addCallback(() => void Deno.stdout.writeSync(encoder.encode("listening\n")));
  await loop.start();
  loop.close({ allSources: true });
}

if (import.meta.main) await main(Number(Deno.args[0]));
