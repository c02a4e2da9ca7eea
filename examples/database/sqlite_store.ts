import type { CoroutineGenerator } from "@waterspout/waterspout/gen";
import { WorkerExecutor } from "@waterspout/waterspout/ioloop";
import type { Note, NoteStore } from "./notes.ts";
import type { query } from "./sqlite_job.ts";

const JOB = { module: new URL("./sqlite_job.ts", import.meta.url).href, name: "query" } as const;

/** Keeps notes in a file, by the SQLite that is built in. */
export class SqliteStore implements NoteStore {
  readonly #path: string;
  // One thread, so that statements run in the order in which they were asked for.
  readonly #executor = new WorkerExecutor({ workers: 1 });

  /** Takes the path of the file, which is made if there is none. */
  constructor(path: string) {
    this.#path = path;
  }

  *open(): CoroutineGenerator {
    yield* this.#query(
      "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT, text TEXT)",
    );
  }

  *list(after: number, count: number): CoroutineGenerator<Note[]> {
    return yield* this.#query("SELECT * FROM notes WHERE id > ? ORDER BY id LIMIT ?", after, count);
  }

  *get(id: number): CoroutineGenerator<Note | null> {
    return (yield* this.#query("SELECT * FROM notes WHERE id = ?", id))[0] ?? null;
  }

  *add(title: string, text: string): CoroutineGenerator<Note> {
    const sql = "INSERT INTO notes (title, text) VALUES (?, ?) RETURNING *";
    return (yield* this.#query(sql, title, text))[0]!;
  }

  *change({ id, title, text }: Note): CoroutineGenerator<Note | null> {
    const sql = "UPDATE notes SET title = ?, text = ? WHERE id = ? RETURNING *";
    return (yield* this.#query(sql, title, text, id))[0] ?? null;
  }

  *remove(id: number): CoroutineGenerator<boolean> {
    return (yield* this.#query("DELETE FROM notes WHERE id = ? RETURNING id", id)).length > 0;
  }

  // deno-lint-ignore require-yield -- the other store has to wait here
  *close(): CoroutineGenerator {
    this.#executor.shutdown();
  }

  *#query(sql: string, ...values: (string | number)[]): CoroutineGenerator<Note[]> {
    return (yield* this.#executor.submit<typeof query>(JOB, this.#path, sql, values)) as Note[];
  }
}
