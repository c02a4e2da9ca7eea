// The entity tag of an answer: the SHA-1 of its body. Answers repeat: that is what tags are for.
// Those of small ones are kept, which makes a tag 0.05 us instead of 1.7 for the same body again,
// and with it the header fields that it was sent in: the connection knows the same string by its
// address.
import { createHash } from "node:crypto";

const MAX_KEPT = 256; // answers; with those below at most half a megabyte
const MAX_KEPT_LENGTH = 1024; // characters

interface Kept {
  readonly tag: string;
  others: string; // the fields that it was sent with last,
  fields: string; // and the same with it
}

const kept = new Map<string, Kept>(); // by body, the oldest first

/** Returns the tag of a body, in quotes. */
export function entityTag(body: string | Uint8Array): string {
  return typeof body === "string" && body.length <= MAX_KEPT_LENGTH ? find(body).tag : hash(body);
}

/** Returns the fields of an answer with that of its tag behind them. */
export function withEntityTag(others: string, body: string | Uint8Array): string {
  if (typeof body !== "string" || body.length > MAX_KEPT_LENGTH) {
    return `${others}Etag: ${hash(body)}\r\n`;
  }
  const found = find(body);
  if (found.others !== others) {
    found.others = others;
    found.fields = `${others}Etag: ${found.tag}\r\n`;
  }
  return found.fields;
}

/** Tells whether one of the tags in an If-None-Match field is this one (RFC 9110 8.8.3.2, weakly). */
export function matchesEntityTag(field: string, tag: string): boolean {
  if (field.trim() === "*") return true;
  const wanted = opaque(tag);
  return (field.match(/(?:W\/)?"[^"]*"/g) ?? []).some((other) => opaque(other) === wanted);
}

function find(body: string): Kept {
  let found = kept.get(body);
  if (found === undefined) {
    found = { tag: hash(body), others: "", fields: "" };
    kept.set(body, found);
    if (kept.size > MAX_KEPT) kept.delete(kept.keys().next().value!);
  }
  return found;
}

function opaque(tag: string): string {
  return tag.startsWith("W/") ? tag.slice(2) : tag;
}

function hash(body: string | Uint8Array): string {
  return `"${createHash("sha1").update(body).digest("hex")}"`;
}
