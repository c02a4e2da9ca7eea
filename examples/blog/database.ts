// Runs in a worker, which has the database to itself: a call that blocks here holds nobody else.
import { Connection, type Row } from "./connection.ts";

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

let connection: Connection | null = null;

function open(path: string): Connection {
  if (connection !== null) return connection;
  connection = new Connection(path);
  connection.execute(`
    CREATE TABLE IF NOT EXISTS authors (
      id INTEGER PRIMARY KEY CHECK (id = 1), -- there is one
      name TEXT NOT NULL UNIQUE,
      password TEXT NOT NULL
    )`);
  connection.execute(`
    CREATE TABLE IF NOT EXISTS entries (
      slug TEXT PRIMARY KEY,
      title TEXT NOT NULL,
      markdown TEXT NOT NULL,
      published INTEGER NOT NULL
    )`);
  connection.execute("CREATE INDEX IF NOT EXISTS entries_by_time ON entries (published)");
  return connection;
}

/** Returns the author, null while there is none. */
export function author(path: string): Author | null {
  return open(path).get<Author & Row>("SELECT id, name, password FROM authors");
}

/** Adds the author, and tells whether nobody was faster. */
export function addAuthor(path: string, name: string, password: string): boolean {
  const sql = "INSERT OR IGNORE INTO authors (id, name, password) VALUES (1, ?, ?)";
  return open(path).executeRowcount(sql, name, password) === 1;
}

/** Returns the newest entries. */
export function entries(path: string, limit: number): Entry[] {
  const sql = "SELECT * FROM entries ORDER BY published DESC, rowid DESC LIMIT ?";
  return open(path).query<Entry & Row>(sql, limit);
}

/** Returns an entry, null if there is none of that name. */
export function entry(path: string, slug: string): Entry | null {
  return open(path).get<Entry & Row>("SELECT * FROM entries WHERE slug = ?", slug);
}

/** Changes an entry. */
export function changeEntry(path: string, slug: string, title: string, markdown: string): void {
  const sql = "UPDATE entries SET title = ?, markdown = ? WHERE slug = ?";
  open(path).execute(sql, title, markdown, slug);
}

/** Adds an entry and returns its name in URLs, which nobody else has. */
export function addEntry(path: string, title: string, markdown: string): string {
  const base = title.normalize("NFKD").replace(/[^\w]+/g, "-").replace(/^-|-$/g, "").toLowerCase();
  const sql = "INSERT OR IGNORE INTO entries VALUES (?, ?, ?, ?)";
  for (let number = 1;; number++) {
    const slug = `${base || "entry"}${number === 1 ? "" : `-${number}`}`;
    if (open(path).executeRowcount(sql, slug, title, markdown, Date.now()) === 1) return slug;
  }
}
