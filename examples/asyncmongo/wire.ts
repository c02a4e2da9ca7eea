// OP_MSG, the one message that today's servers speak: a head of 16 bytes (length, id, the id that
// it answers, kind), flags, and sections. We send one section of kind 0, a document; what comes
// has the same form. Everything is little-endian. No socket here.
import { deserialize, type Document, serialize } from "bson";

const OP_MSG = 2013;
const CHECKSUM_PRESENT = 1;

/** The bytes of a head. */
export const HEAD = 16;

/** The most bytes of a message, which is what servers take, too. */
export const MAX_MESSAGE = 48_000_000;

/** Says that what came is no message. */
export class WireError extends Error {
  /** Takes what is wrong. */
  constructor(why: string) {
    super(`Cannot read the message: ${why}`);
    this.name = "WireError";
  }
}

/** Is the head of a message. */
export interface MessageHead {
  /** The bytes behind the head. */
  readonly rest: number;
  readonly requestId: number;
  readonly responseTo: number;
}

/** Makes a message of a document. */
export function encodeMessage(requestId: number, document: Document, responseTo = 0): Uint8Array {
  const body = serialize(document);
  const bytes = new Uint8Array(HEAD + 5 + body.length); // flags and kind are 0
  const view = new DataView(bytes.buffer);
  view.setInt32(0, bytes.length, true);
  view.setInt32(4, requestId, true);
  view.setInt32(8, responseTo, true);
  view.setInt32(12, OP_MSG, true);
  bytes.set(body, HEAD + 5);
  return bytes;
}

/** Reads the 16 bytes that a message begins with. */
export function decodeHead(bytes: Uint8Array): MessageHead {
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEAD);
  const length = view.getInt32(0, true);
  if (length < HEAD + 10 || length > MAX_MESSAGE) throw new WireError(`it has ${length} bytes`);
  const kind = view.getInt32(12, true);
  if (kind !== OP_MSG) throw new WireError(`its kind is ${kind}`);
  return {
    rest: length - HEAD,
    requestId: view.getInt32(4, true),
    responseTo: view.getInt32(8, true),
  };
}

/** Reads what is behind the head. */
export function decodeBody(bytes: Uint8Array): Document {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = bytes.length - ((view.getUint32(0, true) & CHECKSUM_PRESENT) === 0 ? 0 : 4);
  if (bytes[4] !== 0) throw new WireError(`a section is of kind ${bytes[4]}`);
  try {
    return deserialize(bytes.subarray(5, end));
  } catch (error) {
    throw new WireError((error as Error).message);
  }
}
