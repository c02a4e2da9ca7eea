// A database as Tornado's early versions wrapped it: ask for rows, for one row, or for a change.
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";

/** Is a row: a plain object with a field for each column. */
export type Row = Record<string, unknown>;

/** Wraps an SQLite database. Every call blocks: use it in a worker. */
export class Connection implements Disposable {
  readonly #path: string;
  readonly #statements = new Map<string, StatementSync>(); // by their SQL, which programs write
  #database: DatabaseSync | null;

  /** Opens the database, and makes it when it is not there. */
  constructor(path: string) {
    this.#path = path;
    this.#database = new DatabaseSync(path);
  }

  /** Returns all rows of a query. */
  query<R extends Row = Row>(sql: string, ...parameters: SQLInputValue[]): R[] {
    return this.#prepare(sql).all(...parameters).map((row) => ({ ...row }) as R);
  }

  /** Goes through the rows of a query one by one. */
  *iter<R extends Row = Row>(sql: string, ...parameters: SQLInputValue[]): Generator<R> {
    for (const row of this.#open().prepare(sql).iterate(...parameters)) yield { ...row } as R;
  }

  /**
   * Returns the one row of a query, null when there is none.
   *
   * @throws {Error} when there are several.
   */
  get<R extends Row = Row>(sql: string, ...parameters: SQLInputValue[]): R | null {
    const rows = this.query<R>(sql, ...parameters);
    if (rows.length > 1) throw new Error(`Cannot get one row: the query has ${rows.length}`);
    return rows[0] ?? null;
  }

  /** Changes something and returns the id of the row that was inserted last. */
  execute(sql: string, ...parameters: SQLInputValue[]): number {
    return this.executeLastrowid(sql, ...parameters);
  }

  /** Does the same. */
  executeLastrowid(sql: string, ...parameters: SQLInputValue[]): number {
    return Number(this.#prepare(sql).run(...parameters).lastInsertRowid);
  }

  /** Changes something and returns how many rows that were. */
  executeRowcount(sql: string, ...parameters: SQLInputValue[]): number {
    return Number(this.#prepare(sql).run(...parameters).changes);
  }

  /** Does the same with each list of parameters, all or none; returns the id of the last row. */
  executemany(sql: string, parameters: Iterable<SQLInputValue[]>): number {
    return this.executemanyLastrowid(sql, parameters);
  }

  /** Does the same. */
  executemanyLastrowid(sql: string, parameters: Iterable<SQLInputValue[]>): number {
    let id = 0;
    this.#all(parameters, (values) => id = this.executeLastrowid(sql, ...values));
    return id;
  }

  /** Does the same and returns how many rows were changed. */
  executemanyRowcount(sql: string, parameters: Iterable<SQLInputValue[]>): number {
    let count = 0;
    this.#all(parameters, (values) => count += this.executeRowcount(sql, ...values));
    return count;
  }

  /** Closes the database and opens it anew. */
  reconnect(): void {
    this.close();
    this.#database = new DatabaseSync(this.#path);
  }

  /** Closes the database. */
  close(): void {
    this.#statements.clear();
    this.#database?.close();
    this.#database = null;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #all(parameters: Iterable<SQLInputValue[]>, run: (values: SQLInputValue[]) => void): void {
    const database = this.#open();
    database.exec("BEGIN");
    try {
      for (const values of parameters) run(values);
      database.exec("COMMIT");
    } catch (error) {
      database.exec("ROLLBACK");
      throw error;
    }
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      this.#statements.set(sql, statement = this.#open().prepare(sql));
    }
    return statement;
  }

  #open(): DatabaseSync {
    if (this.#database === null) throw new Error("Cannot use the database: it is closed");
    return this.#database;
  }
}
