/**
 * A guest book in MongoDB, by a small client of its own.
 *
 * It teaches a client for a binary protocol: messages as values in and out (`wire.ts`), a pool
 * that lends a connection for one command, results by callback or by `yield*`, and a cursor that
 * asks for more when it is read (`client.ts`). BSON comes from the package `bson`. Beside it,
 * `official_driver.ts` is the same book by MongoDB's own driver.
 *
 * Run it beside a server with
 * `deno run -P=serve examples/asyncmongo/main.ts --mongo-port 27017`, then
 * `curl -d name=Ada http://127.0.0.1:8888/` and `curl http://127.0.0.1:8888/`.
 *
 * @module
 */
import { parseArgs } from "node:util";
import type { CoroutineGenerator } from "@waterspout/waterspout/gen";
import { Application, asynchronous, RequestHandler } from "@waterspout/waterspout/web";
import { enablePrettyLogging, runServer } from "@waterspout/waterspout/process";
import { announce } from "../serve_tcp.ts";
import { type Collection, MongoClient } from "./client.ts";
import { nameOfGuest } from "./guest.ts";

const BATCH = 100;

class GuestsHandler extends RequestHandler {
  #guests!: Collection;

  override initialize({ guests }: { guests: Collection }): void {
    this.#guests = guests;
  }

  /** Writes a batch while the next one is still in the database. */
  override *get(): CoroutineGenerator {
    this.setHeader("Content-Type", "text/plain; charset=UTF-8");
    const cursor = this.#guests.find({}, { batchSize: BATCH });
    while (!cursor.ended) {
      for (const { name } of yield* cursor.next()) this.write(`${name}\n`);
      yield* this.flush();
    }
  }

  /** The same client in callback style. */
  @asynchronous
  override post(): void {
    const name = nameOfGuest(this);
    this.#guests.insert([{ name }], (error) => {
      if (error !== null) throw error; // becomes a 500
      this.setStatus(201);
      this.finish(`Welcome, ${name}\n`);
    });
  }
}

/** Makes the application. */
export function makeGuestBook(client: MongoClient): Application {
  return new Application([["/", GuestsHandler, { guests: client.collection("book", "guests") }]]);
}

if (import.meta.main) {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      "port": { type: "string", default: "8888" },
      "address": { type: "string", default: "127.0.0.1" },
      "mongo-port": { type: "string", default: "27017" },
      "mongo-address": { type: "string", default: "127.0.0.1" },
    },
  });
  enablePrettyLogging();
  const client = new MongoClient({
    host: values["mongo-address"],
    port: Number(values["mongo-port"]),
  });
  await runServer(makeGuestBook(client), {
    port: Number(values.port),
    address: values.address,
    onListen: announce("The guest book"),
  });
  client.close();
}
