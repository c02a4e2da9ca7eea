// Runs in a worker, which has the database to itself: a call that blocks here holds nobody else.
import { DatabaseSync } from "node:sqlite";

/** Somebody who can write. */
export interface Author {
  readonly id: number;
  readonly name: string;
  readonly password: string; // its hash
}

/** What was written. */
export interface Entry {
  readonly slug: string;
  readonly title: string;
  readonly markdown: string;
  readonly published: number; // in ms since the epoch
}

let database: DatabaseSync | null = null;

function open(path: string): DatabaseSync {
  if (database !== null) return database;
  database = new DatabaseSync(path);
  database.exec(`
    CREATE TABLE IF NOT EXISTS authors (
      id INTEGER PRIMARY KEY CHECK (id = 1), -- there is one
      name TEXT NOT NULL UNIQUE,
      password TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS entries (
      slug TEXT PRIMARY KEY,
      title TEXT NOT NULL,
      markdown TEXT NOT NULL,
      published INTEGER NOT NULL
    );
    CREATE INDEX IF NOT EXISTS entries_by_time ON entries (published);
  `);
  return database;
}

/** Returns the author, null while there is none. */
export function author(path: string): Author | null {
  const row = open(path).prepare("SELECT id, name, password FROM authors").get();
  return row === undefined ? null : { ...row } as unknown as Author;
}

/** Adds the author, and tells whether nobody was faster. */
export function addAuthor(path: string, name: string, password: string): boolean {
  const { changes } = open(path)
    .prepare("INSERT OR IGNORE INTO authors (id, name, password) VALUES (1, ?, ?)")
    .run(name, password);
  return changes === 1;
}

/** Returns the newest entries. */
export function entries(path: string, limit: number): Entry[] {
  const rows = open(path)
    .prepare("SELECT * FROM entries ORDER BY published DESC, rowid DESC LIMIT ?").all(limit);
  return rows.map((row) => ({ ...row }) as unknown as Entry);
}

/** Returns an entry, null if there is none of that name. */
export function entry(path: string, slug: string): Entry | null {
  const row = open(path).prepare("SELECT * FROM entries WHERE slug = ?").get(slug);
  return row === undefined ? null : { ...row } as unknown as Entry;
}

/** Changes an entry. */
export function changeEntry(path: string, slug: string, title: string, markdown: string): void {
  open(path).prepare("UPDATE entries SET title = ?, markdown = ? WHERE slug = ?")
    .run(title, markdown, slug);
}

/** Adds an entry and returns its name in URLs, which nobody else has. */
export function addEntry(path: string, title: string, markdown: string): string {
  const base = title.normalize("NFKD").replace(/[^\w]+/g, "-").replace(/^-|-$/g, "").toLowerCase();
  const insert = open(path).prepare("INSERT OR IGNORE INTO entries VALUES (?, ?, ?, ?)");
  for (let number = 1;; number++) {
    const slug = `${base || "entry"}${number === 1 ? "" : `-${number}`}`;
    if (insert.run(slug, title, markdown, Date.now()).changes === 1) return slug;
  }
}
