import {
  type Future,
  IOLoop,
  type JobFunction,
  type JobResult,
  WorkerExecutor,
} from "@waterspout/waterspout/ioloop";
import type * as database from "./database.ts";
import type * as passwords from "./passwords.ts";

const DATABASE = import.meta.resolve("./database.ts");
const PASSWORDS = import.meta.resolve("./passwords.ts");

type Database = typeof database;
type Passwords = typeof passwords;

/** Asks the database and checks passwords, in other threads. */
export class Store {
  readonly #path: string;
  // SQLite writes one at a time anyway; a password must not make the readers wait.
  readonly #database = new WorkerExecutor({ workers: 1 });
  readonly #passwords = new WorkerExecutor({ workers: 2 });

  /** Takes the path of the database, which is made when it is not there. */
  constructor(path: string) {
    this.#path = path;
  }

  author(): Future<database.Author | null> {
    return this.#ask<Database["author"]>("author", this.#path);
  }

  addAuthor(name: string, password: string): Future<boolean> {
    return this.#ask<Database["addAuthor"]>("addAuthor", this.#path, name, password);
  }

  entries(limit: number): Future<database.Entry[]> {
    return this.#ask<Database["entries"]>("entries", this.#path, limit);
  }

  entry(slug: string): Future<database.Entry | null> {
    return this.#ask<Database["entry"]>("entry", this.#path, slug);
  }

  addEntry(title: string, markdown: string): Future<string> {
    return this.#ask<Database["addEntry"]>("addEntry", this.#path, title, markdown);
  }

  changeEntry(slug: string, title: string, markdown: string): Future<void> {
    return this.#ask<Database["changeEntry"]>("changeEntry", this.#path, slug, title, markdown);
  }

  hashPassword(password: string): Future<string> {
    const job = { module: PASSWORDS, name: "hashPassword" };
    return IOLoop.current().runInExecutor<Passwords["hashPassword"]>(
      this.#passwords,
      job,
      password,
    );
  }

  isPassword(password: string, kept: string | null): Future<boolean> {
    const job = { module: PASSWORDS, name: "isPassword" };
    return IOLoop.current().runInExecutor<Passwords["isPassword"]>(
      this.#passwords,
      job,
      password,
      kept,
    );
  }

  /** Ends the threads. */
  close(): void {
    this.#database.shutdown();
    this.#passwords.shutdown();
  }

  #ask<F extends JobFunction>(name: string, ...args: Parameters<F>): Future<JobResult<F>> {
    const job = { module: DATABASE, name };
    return IOLoop.current().runInExecutor<F>(this.#database, job, ...args);
  }
}
