import type { CoroutineGenerator } from "@waterspout/waterspout/gen";
import { Future } from "@waterspout/waterspout/ioloop";
import postgres from "postgres";
import type { Note, NoteStore } from "./notes.ts";

const CONNECTIONS = 10;

/** Keeps notes in PostgreSQL, by a driver that knows promises alone: they are yielded. */
export class PostgresStore implements NoteStore {
  readonly #sql: postgres.Sql;

  /** Takes a URL such as `postgres://user@host/database`. */
  constructor(url: string) {
    this.#sql = postgres(url, { max: CONNECTIONS, onnotice() {} });
  }

  *open(): CoroutineGenerator {
    yield this.#sql`
      CREATE TABLE IF NOT EXISTS notes (id SERIAL PRIMARY KEY, title TEXT, text TEXT)`;
  }

  *list(after: number, count: number): CoroutineGenerator<Note[]> {
    return yield* Future.from(this.#sql<Note[]>`
      SELECT * FROM notes WHERE id > ${after} ORDER BY id LIMIT ${count}`);
  }

  *get(id: number): CoroutineGenerator<Note | null> {
    const [note] = yield* Future.from(this.#sql<Note[]>`SELECT * FROM notes WHERE id = ${id}`);
    return note ?? null;
  }

  *add(title: string, text: string): CoroutineGenerator<Note> {
    const [note] = yield* Future.from(this.#sql<Note[]>`
      INSERT INTO notes (title, text) VALUES (${title}, ${text}) RETURNING *`);
    return note!;
  }

  *change({ id, title, text }: Note): CoroutineGenerator<Note | null> {
    const [note] = yield* Future.from(this.#sql<Note[]>`
      UPDATE notes SET title = ${title}, text = ${text} WHERE id = ${id} RETURNING *`);
    return note ?? null;
  }

  *remove(id: number): CoroutineGenerator<boolean> {
    const { count } = yield* Future.from(this.#sql`DELETE FROM notes WHERE id = ${id}`);
    return count > 0;
  }

  *close(): CoroutineGenerator {
    yield this.#sql.end();
  }
}
