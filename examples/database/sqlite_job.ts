// Runs in a worker: `node:sqlite` blocks its thread while it works, and this is not the loop's.
// The worker keeps the database open for the next job.
import { DatabaseSync, type SQLInputValue } from "node:sqlite";

const databases = new Map<string, DatabaseSync>();

/** Runs a statement and returns its rows. */
export function query(path: string, sql: string, values: SQLInputValue[]): unknown[] {
  let database = databases.get(path);
  if (database === undefined) {
    database = new DatabaseSync(path);
    databases.set(path, database);
  }
  // Plain records: the rows have no prototype, which does not survive the way back.
  return database.prepare(sql).all(...values).map((row) => ({ ...row }));
}
