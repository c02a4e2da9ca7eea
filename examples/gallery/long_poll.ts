import type { CoroutineGenerator } from "@waterspout/waterspout/gen";
import { Future } from "@waterspout/waterspout/ioloop";
import { HTTPError, RequestHandler } from "@waterspout/waterspout/web";

const MAX_NOTES = 100;
const MAX_LENGTH = 500; // characters of a note

/** A note on the board. */
export interface Note {
  /** Counts up from 1. */
  readonly id: number;
  /** What it says. */
  readonly text: string;
}

/** Holds notes, and those who wait for the next one. */
export class BulletinBoard {
  #notes: Note[] = [];
  #lastId = 0;
  readonly #waiting = new Set<Future<void>>();

  /** Adds a note and wakes who waits. */
  add(text: string): Note {
    const note = { id: ++this.#lastId, text };
    this.#notes = [...this.#notes.slice(1 - MAX_NOTES), note];
    for (const future of [...this.#waiting]) future.setResult();
    return note;
  }

  /** Waits for notes behind `after` and returns them; who is ahead of us gets all of them. */
  *since(after: number): CoroutineGenerator<Note[]> {
    if (after > this.#lastId) after = 0; // a page that knew the server before it was restarted
    while (this.#lastId <= after) {
      const next = new Future<void>();
      this.#waiting.add(next);
      try {
        yield* next;
      } finally {
        this.#waiting.delete(next); // also when the client left: the coroutine is cancelled
      }
    }
    return this.#notes.filter(({ id }) => id > after);
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.size;
  }
}

/** Shows a long poll: the answer comes when there is something to say. */
export class PollUpdatesHandler extends RequestHandler {
  #board!: BulletinBoard;

  override initialize({ board }: { board: BulletinBoard }): void {
    this.#board = board;
  }

  override *get(): CoroutineGenerator {
    const after = Number(this.getArgument("after", "0"));
    if (!Number.isInteger(after) || after < 0) throw new HTTPError(400, "after must be a number");
    this.setHeader("Cache-Control", "no-store");
    this.write({ notes: yield* this.#board.since(after) });
  }
}

/** Adds a note to the board. */
export class PollNewHandler extends RequestHandler {
  #board!: BulletinBoard;

  override initialize({ board }: { board: BulletinBoard }): void {
    this.#board = board;
  }

  override post(): void {
    const text = this.getBodyArgument("text");
    if (text.length === 0 || text.length > MAX_LENGTH) {
      throw new HTTPError(400, `A note has 1 to ${MAX_LENGTH} characters`);
    }
    this.write({ ...this.#board.add(text) });
  }
}
