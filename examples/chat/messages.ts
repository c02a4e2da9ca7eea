import { type CoroutineGenerator, locks } from "@waterspout/waterspout/gen";
import { Room } from "@waterspout/waterspout/websocket";

const MAX_MESSAGES = 200;
const MAX_NAME = 40;
const MAX_TEXT = 1000;

/** What somebody said. */
export interface Message {
  /** Counts up from 1. */
  readonly id: number;
  readonly name: string;
  readonly text: string;
}

/** Holds what was said lately, and tells everybody what is new, by whichever way they came. */
export class Messages {
  /** Who is connected by WebSocket. */
  readonly room: Room = new Room();

  readonly #news = new locks.Condition(); // those who poll wait for it
  #messages: Message[] = [];
  #lastId = 0;
  #waiting = 0;

  /** How many wait for an answer. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Says something to all. */
  add({ name, text }: Omit<Message, "id">): Message {
    const message = { id: ++this.#lastId, name, text };
    this.#messages = [...this.#messages.slice(1 - MAX_MESSAGES), message];
    this.#news.notifyAll();
    this.room.broadcast({ messages: [message] });
    return message;
  }

  /** Returns what was said behind `after`, which may be nothing. */
  since(after: number): Message[] {
    // Who is ahead of us knew the server before it was restarted, and gets all.
    if (after > this.#lastId) return this.#messages;
    return this.#messages.filter(({ id }) => id > after);
  }

  /** Waits, for `ms` at most, until there is something behind `after`. */
  *wait(after: number, ms: number): CoroutineGenerator<Message[]> {
    if (ms > 0 && this.since(after).length === 0) {
      this.#waiting++;
      try {
        yield* this.#news.wait({ timeout: ms });
      } finally {
        this.#waiting--; // also when the client left: its coroutine is cancelled
      }
    }
    return this.since(after);
  }
}

/** Reads what a client sent; null if that is no message. */
export function readMessage(text: string): Omit<Message, "id"> | null {
  try {
    const message = JSON.parse(text);
    if (typeof message?.name !== "string" || typeof message.text !== "string") return null;
    if (message.text === "" || message.text.length > MAX_TEXT) return null;
    return { name: message.name.slice(0, MAX_NAME) || "somebody", text: message.text };
  } catch {
    return null;
  }
}
