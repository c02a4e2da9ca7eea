/**
 * Notes in a database, by way of a small JSON API.
 *
 * It teaches how to wait for a database: SQLite is built in and blocks, so it works in a thread
 * of its own (`sqlite_store.ts`, `WorkerExecutor`); the driver of PostgreSQL gives promises, which
 * a coroutine yields (`postgres_store.ts`). The handlers do not know which one it is.
 *
 * Run it with
 *
 *     deno run --allow-net --allow-env --allow-read --allow-write=. examples/database/main.ts \
 *       --database notes.sqlite
 *
 * or `--database postgres://user@localhost/name`, then
 * `curl -d '{"title":"One","text":"first"}' http://127.0.0.1:8888/notes`.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { coroutine, type CoroutineGenerator } from "@waterspout/waterspout/gen";
import { Application, HTTPError, RequestHandler } from "@waterspout/waterspout/web";
import { enablePrettyLogging, runServer } from "@waterspout/waterspout/process";
import { print } from "../serve_tcp.ts";
import type { Note, NoteStore } from "./notes.ts";
import { PostgresStore } from "./postgres_store.ts";
import { SqliteStore } from "./sqlite_store.ts";

const PAGE = 100; // notes in one answer
const MAX_ID = 2 ** 31 - 1;
const MAX_BODY = 64 * 1024;

abstract class NoteHandler<Pattern extends string = string> extends RequestHandler<Pattern> {
  get store(): NoteStore {
    return this.settings["store"] as NoteStore;
  }

  /** Reads title and text from the body. */
  get content(): Omit<Note, "id"> {
    try {
      const { title, text } = JSON.parse(new TextDecoder().decode(this.request.body));
      if (typeof title === "string" && typeof text === "string" && !/\0/.test(title + text)) {
        return { title, text };
      }
    } catch {
      // It is refused like other bodies that are no note.
    }
    throw new HTTPError(400, "expected a title and a text");
  }
}

class NotesHandler extends NoteHandler {
  override *get(): CoroutineGenerator {
    const after = this.getArgument("after", { type: "int", default: 0 });
    if (after < 0 || after > MAX_ID) throw new HTTPError(400, "expected an id as after");
    this.write({ notes: yield* this.store.list(after, PAGE) });
  }

  override *post(): CoroutineGenerator {
    const { title, text } = this.content;
    const note = yield* this.store.add(title, text);
    this.setStatus(201);
    this.setHeader("Location", this.reverseUrl("note", note.id));
    this.writeJson(note);
  }
}

class OneNoteHandler extends NoteHandler {
  override *get(id: string): CoroutineGenerator {
    this.writeJson(found(yield* this.store.get(readId(id))));
  }

  override *put(id: string): CoroutineGenerator {
    this.writeJson(found(yield* this.store.change({ id: readId(id), ...this.content })));
  }

  override *delete(id: string): CoroutineGenerator {
    if (!(yield* this.store.remove(readId(id)))) throw new HTTPError(404);
    this.setStatus(204);
  }
}

function readId(text: string): number {
  const id = Number(text);
  if (id > MAX_ID) throw new HTTPError(404);
  return id;
}

function found(note: Note | null): Note {
  if (note === null) throw new HTTPError(404);
  return note;
}

/** Makes the application. */
export function makeNotes(store: NoteStore): Application {
  return new Application([
    ["/notes", NotesHandler],
    ["/notes/([0-9]+)", OneNoteHandler, {}, "note"],
  ], { store });
}

if (import.meta.main) {
  const { values: { port, address, database } } = parseArgs({
    args: Deno.args,
    options: {
      port: { type: "string", default: "8888" },
      address: { type: "string", default: "127.0.0.1" },
      database: { type: "string", default: "notes.sqlite" },
    },
  });
  enablePrettyLogging();
  const store = database.startsWith("postgres:")
    ? new PostgresStore(database)
    : new SqliteStore(database);
  await coroutine(() => store.open())();
  await runServer(makeNotes(store), {
    port: Number(port),
    address,
    maxBodySize: MAX_BODY,
    onListen(server) {
      const { hostname, port } = server.addresses[0] as Deno.NetAddr;
      print(`The notes are on http://${hostname}:${port}/notes (Ctrl-C ends it)`);
    },
  });
  await coroutine(() => store.close())();
}
