import type { CoroutineGenerator } from "@waterspout/waterspout/gen";

/** A note. */
export interface Note {
  readonly id: number;
  readonly title: string;
  readonly text: string;
}

/** Keeps notes, in one database or the other. */
export interface NoteStore {
  /** Makes the table if there is none. */
  open(): CoroutineGenerator;
  /** Returns notes whose id is above `after`, in the order of their ids. */
  list(after: number, count: number): CoroutineGenerator<Note[]>;
  /** Returns a note, null if there is none. */
  get(id: number): CoroutineGenerator<Note | null>;
  /** Adds a note and returns it with its id. */
  add(title: string, text: string): CoroutineGenerator<Note>;
  /** Changes a note and returns it, null if there is none. */
  change(note: Note): CoroutineGenerator<Note | null>;
  /** Removes a note and tells whether there was one. */
  remove(id: number): CoroutineGenerator<boolean>;
  /** Ends what is open. */
  close(): CoroutineGenerator;
}
