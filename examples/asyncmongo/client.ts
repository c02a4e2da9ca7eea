// A connection does one command at a time; the pool lends one for each, and opens as many as it
// may. A cursor takes a connection for each batch only, so that one that is read slowly holds none.
import { coroutine, type CoroutineGenerator, locks } from "@waterspout/waterspout/gen";
import { type Future, IOLoop } from "@waterspout/waterspout/ioloop";
import { type IOStream, TCPClient } from "@waterspout/waterspout/iostream";
import type { Document, Long } from "bson";
import { decodeBody, decodeHead, encodeMessage, HEAD, WireError } from "./wire.ts";

const CONNECT_TIMEOUT = 5000; // ms

/** Says that the server refused a command. */
export class CommandError extends Error {
  /** The server's number for what is wrong. */
  readonly code: number;

  /** Takes what the server said. */
  constructor(message: string, code: number) {
    super(`The server refused: ${message}`);
    this.name = "CommandError";
    this.code = code;
  }
}

/** Is called with an error and null, or with null and a result. */
export type MongoCallback<T> = (error: Error | null, result: T | null) => unknown;

/** Options of {@linkcode MongoClient}. */
export interface MongoClientOptions {
  host?: string;
  port?: number;
  /** The most connections at a time. */
  size?: number;
}

/** Sends commands to a server, over a pool of connections. */
export class MongoClient {
  readonly #host: string;
  readonly #port: number;
  readonly #permits: locks.Semaphore;
  readonly #idle: IOStream[] = [];
  readonly #open = new Set<IOStream>();
  #lastId = 0;
  #closed = false;

  /** Opens nothing yet. */
  constructor({ host = "127.0.0.1", port = 27017, size = 10 }: MongoClientOptions = {}) {
    this.#host = host;
    this.#port = port;
    this.#permits = new locks.Semaphore(size);
  }

  /** How many connections are open. */
  get size(): number {
    return this.#open.size;
  }

  /** Sends a command to a database and returns the Future of the reply. */
  command(
    database: string,
    command: Document,
    callback?: MongoCallback<Document>,
  ): Future<Document> {
    return called(this.#command({ ...command, $db: database }), callback);
  }

  /** Returns a collection. */
  collection(database: string, name: string): Collection {
    return new Collection(this, database, name);
  }

  /** Closes all connections; commands in progress fail. */
  close(): void {
    this.#closed = true;
    for (const stream of this.#open) stream.close();
  }

  readonly #command = coroutine(this.#send.bind(this));

  *#send(document: Document): CoroutineGenerator<Document> {
    using _permit = yield* this.#permits.acquire();
    if (this.#closed) throw new Error("Cannot send the command: the client is closed");
    const stream = this.#takeIdle() ?? (yield* this.#connect());
    let whole = false; // only then another command may use the connection
    try {
      const id = this.#lastId = (this.#lastId + 1) % 2 ** 31;
      stream.write(encodeMessage(id, document)).catch(() => {}); // the read tells the same
      const { rest, responseTo } = decodeHead(yield* stream.readBytes(HEAD));
      if (responseTo !== id) throw new WireError(`it answers ${responseTo}, not ${id}`);
      const reply = decodeBody(yield* stream.readBytes(rest));
      whole = true;
      if (reply["ok"] !== 1) throw new CommandError(reply["errmsg"], reply["code"]);
      const [failed] = reply["writeErrors"] ?? [];
      if (failed !== undefined) throw new CommandError(failed.errmsg, failed.code);
      return reply;
    } finally {
      if (whole && !stream.closed()) this.#idle.push(stream);
      else stream.close();
    }
  }

  *#connect(): CoroutineGenerator<IOStream> {
    const client = new TCPClient();
    try {
      const stream = yield* client.connect(this.#host, this.#port, { timeout: CONNECT_TIMEOUT });
      stream.setNoDelay(true);
      this.#open.add(stream);
      stream.setCloseCallback(() => this.#open.delete(stream));
      return stream;
    } finally {
      client.close();
    }
  }

  #takeIdle(): IOStream | undefined {
    for (;;) {
      const stream = this.#idle.pop();
      if (stream === undefined || !stream.closed()) return stream;
    }
  }
}

/** Is a collection of documents. */
export class Collection {
  readonly #client: MongoClient;
  readonly #database: string;
  readonly #name: string;

  constructor(client: MongoClient, database: string, name: string) {
    this.#client = client;
    this.#database = database;
    this.#name = name;
  }

  /** Inserts documents and returns how many. */
  insert(documents: Document[], callback?: MongoCallback<number>): Future<number> {
    return this.#count({ insert: this.#name, documents }, callback);
  }

  /** Changes the documents that fit `q` and returns how many did. */
  update(q: Document, u: Document, callback?: MongoCallback<number>): Future<number> {
    return this.#count({ update: this.#name, updates: [{ q, u, multi: true }] }, callback);
  }

  /** Removes the documents that fit `q` and returns how many did. */
  remove(q: Document, callback?: MongoCallback<number>): Future<number> {
    return this.#count({ delete: this.#name, deletes: [{ q, limit: 0 }] }, callback);
  }

  /** Returns the first document that fits `filter`, null if there is none. */
  findOne(filter: Document, callback?: MongoCallback<Document | null>): Future<Document | null> {
    const first = coroutine(function* (cursor: Cursor) {
      const [document] = yield* cursor.next();
      return document ?? null;
    });
    return called(first(this.find(filter, { limit: 1 })), callback);
  }

  /** Returns a cursor over the documents that fit `filter`. */
  find(filter: Document = {}, options: { batchSize?: number; limit?: number } = {}): Cursor {
    return new Cursor(this.#client, this.#database, this.#name, { filter, ...options });
  }

  #count(command: Document, callback?: MongoCallback<number>): Future<number> {
    const send = coroutine(function* (reply: Future<Document>) {
      return (yield* reply)["n"] as number;
    });
    return called(send(this.#client.command(this.#database, command)), callback);
  }
}

/** Gives documents batch by batch. */
export class Cursor {
  readonly #client: MongoClient;
  readonly #database: string;
  readonly #collection: string;
  readonly #find: Document;
  #id: Long | number | null = null; // of the server's cursor; null before the first batch

  constructor(client: MongoClient, database: string, collection: string, find: Document) {
    this.#client = client;
    this.#database = database;
    this.#collection = collection;
    this.#find = find;
  }

  /** Whether the server has nothing more. */
  get ended(): boolean {
    return this.#id !== null && Number(this.#id) === 0;
  }

  /** Returns the next batch, an empty one at the end. */
  *next(): CoroutineGenerator<Document[]> {
    if (this.ended) return [];
    const { batchSize } = this.#find;
    const reply = yield* this.#client.command(
      this.#database,
      this.#id === null ? { find: this.#collection, ...this.#find } : {
        getMore: this.#id,
        collection: this.#collection,
        ...batchSize === undefined ? {} : { batchSize },
      },
    );
    const { id, firstBatch, nextBatch } = reply["cursor"];
    this.#id = id;
    return firstBatch ?? nextBatch;
  }

  /** Returns all that is left. */
  *toArray(): CoroutineGenerator<Document[]> {
    const documents: Document[] = [];
    while (!this.ended) documents.push(...yield* this.next());
    return documents;
  }

  /** Lets the server forget it, before its end. */
  *close(): CoroutineGenerator {
    if (this.#id === null || this.ended) return;
    const command = { killCursors: this.#collection, cursors: [this.#id] };
    this.#id = 0;
    yield* this.#client.command(this.#database, command);
  }
}

/** Has `callback` called, if there is one, with how `future` ends. */
function called<T>(future: Future<T>, callback: MongoCallback<T> | undefined): Future<T> {
  if (callback !== undefined) {
    IOLoop.current().addFuture(future, () => {
      const error = future.exception() as Error | null;
      return error === null ? callback(null, future.result()) : callback(error, null);
    });
  }
  return future;
}
