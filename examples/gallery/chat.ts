import { WebSocketHandler } from "@waterspout/waterspout/websocket";

const HISTORY = 50;
const MAX_NAME = 40;
const MAX_TEXT = 1000;
const MAX_UNREAD = 1024 * 1024; // bytes that a member may be behind

/** What one person said. */
interface Line {
  readonly name: string;
  readonly text: string;
}

/** Holds who is here and what was said lately. */
export class ChatRoom {
  readonly #members = new Set<ChatHandler>();
  #lines: Line[] = [];

  /** Lets somebody in and shows what was said before. */
  enter(member: ChatHandler): void {
    this.#members.add(member);
    for (const line of this.#lines) member.writeMessage({ ...line });
    this.#announce();
  }

  /** Lets somebody out. */
  leave(member: ChatHandler): void {
    if (this.#members.delete(member)) this.#announce();
  }

  /** Says something to all. */
  say(line: Line): void {
    this.#lines = [...this.#lines.slice(1 - HISTORY), line];
    this.#broadcast({ ...line });
  }

  #announce(): void {
    this.#broadcast({ present: this.#members.size });
  }

  #broadcast(message: Record<string, unknown>): void {
    const text = JSON.stringify(message);
    for (const member of this.#members) {
      if (member.closing) continue;
      if (member.bufferedAmount > MAX_UNREAD) member.close(1008, "you do not read");
      else member.writeMessage(text);
    }
  }
}

/** Shows a WebSocket: a chat between all who have the page open. */
export class ChatHandler extends WebSocketHandler {
  #room!: ChatRoom;

  override initialize({ room }: { room: ChatRoom }): void {
    this.#room = room;
  }

  override get maxMessageSize(): number {
    return 16 * 1024;
  }

  override open(): void {
    this.#room.enter(this);
  }

  override onMessage(message: string | Uint8Array): void {
    const line = parseLine(message);
    if (line === null) this.close(1008, "expected a name and a text");
    else this.#room.say(line);
  }

  override onClose(): void {
    this.#room.leave(this);
  }
}

function parseLine(message: string | Uint8Array): Line | null {
  try {
    const { name, text } = JSON.parse(String(message));
    if (typeof name !== "string" || typeof text !== "string" || text === "") return null;
    return { name: name.slice(0, MAX_NAME) || "somebody", text: text.slice(0, MAX_TEXT) };
  } catch {
    return null;
  }
}
