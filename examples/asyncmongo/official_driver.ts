/**
 * The guest book again, by MongoDB's own driver, which knows promises alone: a handler yields
 * them, and a `finally` closes the cursor also when the browser has left.
 *
 * Run it beside a server with
 * `deno run -P=serve examples/asyncmongo/official_driver.ts --url mongodb://127.0.0.1:27017`, then
 * `curl -d name=Ada http://127.0.0.1:8888/` and `curl http://127.0.0.1:8888/`.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { type Collection, MongoClient } from "mongodb";
import type { CoroutineGenerator } from "@waterspout/waterspout/gen";
import { Future } from "@waterspout/waterspout/ioloop";
import { Application, RequestHandler } from "@waterspout/waterspout/web";
import { enablePrettyLogging, runServer } from "@waterspout/waterspout/process";
import { announce } from "../serve_tcp.ts";
import { type Guest, nameOfGuest } from "./guest.ts";

const BATCH = 100;

class GuestsHandler extends RequestHandler {
  #guests!: Collection<Guest>;

  override initialize({ guests }: { guests: Collection<Guest> }): void {
    this.#guests = guests;
  }

  /** Writes what a batch brought before it asks for the next. */
  override *get(): CoroutineGenerator {
    this.setHeader("Content-Type", "text/plain; charset=UTF-8");
    const cursor = this.#guests.find({}, { batchSize: BATCH });
    try {
      while (yield* Future.from(cursor.hasNext())) {
        for (const { name } of cursor.readBufferedDocuments()) this.write(`${name}\n`);
        yield* this.flush();
      }
    } finally {
      yield cursor.close();
    }
  }

  override *post(): CoroutineGenerator {
    const name = nameOfGuest(this);
    yield this.#guests.insertOne({ name });
    this.setStatus(201);
    this.write(`Welcome, ${name}\n`);
  }
}

/** Makes the application. */
export function makeOfficialGuestBook(client: MongoClient): Application {
  const guests = client.db("book").collection<Guest>("guests");
  return new Application([["/", GuestsHandler, { guests }]]);
}

if (import.meta.main) {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      "port": { type: "string", default: "8888" },
      "address": { type: "string", default: "127.0.0.1" },
      "url": { type: "string", default: "mongodb://127.0.0.1:27017" },
    },
  });
  enablePrettyLogging();
  const client = new MongoClient(values.url);
  await runServer(makeOfficialGuestBook(client), {
    port: Number(values.port),
    address: values.address,
    onListen: announce("The guest book"),
  });
  await client.close();
}
