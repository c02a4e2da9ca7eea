// Speaks as much of MongoDB's protocol as the tests and the official driver need, with documents
// in memory and filters that compare for equality.
import { deserialize, type Document, Long } from "bson";
import { decodeHead, encodeMessage, HEAD } from "../../examples/asyncmongo/wire.ts";
import { sleep } from "../../gen/mod.ts";
import { Future } from "../../ioloop/mod.ts";
import { type IOStream, TCPServer } from "../../iostream/mod.ts";

export class MongoServer extends TCPServer {
  /** The names of the commands that came. */
  readonly commands: string[] = [];
  /** How many connections were made. */
  connections = 0;
  /** How many commands are at work, and the most of them. */
  readonly atWork = { now: 0, most: 0 };
  readonly cursors = new Map<number, Document[]>();
  /** What each getMore waits for. */
  hold: Future<void> = Future.resolved(undefined);
  #documents: Document[] = [];
  #lastCursor = 0;

  override *handleStream(stream: IOStream) {
    this.connections++;
    for (let id = 1;; id++) {
      const { rest, requestId } = decodeHead(yield* stream.readBytes(HEAD));
      const command = decodeSections(yield* stream.readBytes(rest));
      const name = Object.keys(command)[0]!;
      this.commands.push(name);
      this.atWork.most = Math.max(this.atWork.most, ++this.atWork.now);
      if (name === "slow") yield* sleep(command["slow"]);
      if (name === "getMore") yield this.hold;
      this.atWork.now--;
      if (name === "breakOff") return stream.close();
      if (name === "lie") stream.write(encodeMessage(id, { ok: 1 }, requestId + 1));
      else if (name === "babble") stream.write("HTTP/1.1 400 Bad Request\r\n\r\n");
      else stream.write(encodeMessage(id, this.#answer(name, command), requestId));
    }
  }

  #answer(name: string, command: Document): Document {
    switch (name) {
      case "hello":
        return {
          ok: 1,
          isWritablePrimary: true,
          maxBsonObjectSize: 16_777_216,
          maxMessageSizeBytes: 48_000_000,
          maxWriteBatchSize: 100_000,
          minWireVersion: 0,
          maxWireVersion: 25,
        };
      case "endSessions":
        return { ok: 1 };
      case "slow":
      case "ping":
        return { ok: 1, $db: command["$db"] };
      case "insert":
        this.#documents.push(...command["documents"]);
        return { ok: 1, n: command["documents"].length };
      case "update": {
        const { q, u } = command["updates"][0];
        const due = this.#documents.filter(fits(q));
        for (const document of due) Object.assign(document, u.$set);
        return { ok: 1, n: due.length };
      }
      case "delete": {
        const before = this.#documents.length;
        const goes = fits(command["deletes"][0].q);
        this.#documents = this.#documents.filter((document) => !goes(document));
        return { ok: 1, n: before - this.#documents.length };
      }
      case "find": {
        const { filter, limit = Infinity } = command;
        const due = this.#documents.filter(fits(filter)).slice(0, limit);
        return this.#batch("firstBatch", due, command, command["find"]);
      }
      case "getMore": {
        const id = Number(command["getMore"]);
        const due = this.cursors.get(id);
        this.cursors.delete(id);
        if (due === undefined) return { ok: 0, errmsg: "cursor not found", code: 43 };
        return this.#batch("nextBatch", due, command, command["collection"]);
      }
      case "killCursors":
        for (const id of command["cursors"]) this.cursors.delete(Number(id));
        return { ok: 1 };
      default:
        return { ok: 0, errmsg: `no such command: '${name}'`, code: 59 };
    }
  }

  #batch(
    name: string,
    due: Document[],
    { batchSize: size = 101, $db }: Document,
    collection: string,
  ): Document {
    const id = due.length > size ? ++this.#lastCursor : 0;
    if (id > 0) this.cursors.set(id, due.slice(size));
    const ns = `${$db}.${collection}`;
    return { ok: 1, cursor: { id: Long.fromNumber(id), ns, [name]: due.slice(0, size) } };
  }
}

// Behind the flags come sections: of kind 0, a document, and of kind 1, the length, a name and the
// documents of a list that the command has under that name.
function decodeSections(bytes: Uint8Array): Document {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const command: Document = {};
  const take = (at: number) => deserialize(bytes.subarray(at, at + view.getInt32(at, true)));
  for (let at = 4; at < bytes.length;) {
    const kind = bytes[at++];
    const end = at + view.getInt32(at, true);
    if (kind === 0) Object.assign(command, take(at));
    else {
      const nameEnd = bytes.indexOf(0, at + 4);
      const documents: Document[] = command[decoder.decode(bytes.subarray(at + 4, nameEnd))] = [];
      for (at = nameEnd + 1; at < end; at += view.getInt32(at, true)) documents.push(take(at));
    }
    at = end;
  }
  return command;
}

const decoder = new TextDecoder();

function fits(filter: Document): (document: Document) => boolean {
  return (document) => Object.entries(filter).every(([name, value]) => document[name] === value);
}
