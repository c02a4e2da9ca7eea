// The entity tag of an answer: the SHA-1 of its body. Answers repeat: that is what tags are for.
// Those of small ones are kept, which makes a tag 0.1 us instead of 1.7 for the same body again.
import { createHash } from "node:crypto";

const MAX_KEPT = 256; // answers; with those below at most half a megabyte
const MAX_KEPT_LENGTH = 1024; // characters

const kept = new Map<string, string>(); // by body, the oldest first

/** Returns the tag of a body, in quotes. */
export function entityTag(body: string | Uint8Array): string {
  if (typeof body !== "string" || body.length > MAX_KEPT_LENGTH) return hash(body);
  let tag = kept.get(body);
  if (tag === undefined) {
    tag = hash(body);
    kept.set(body, tag);
    if (kept.size > MAX_KEPT) kept.delete(kept.keys().next().value!);
  }
  return tag;
}

/** Tells whether one of the tags in an If-None-Match field is this one (RFC 9110 8.8.3.2, weakly). */
export function matchesEntityTag(field: string, tag: string): boolean {
  if (field.trim() === "*") return true;
  const wanted = opaque(tag);
  return (field.match(/(?:W\/)?"[^"]*"/g) ?? []).some((other) => opaque(other) === wanted);
}

function opaque(tag: string): string {
  return tag.startsWith("W/") ? tag.slice(2) : tag;
}

function hash(body: string | Uint8Array): string {
  return `"${createHash("sha1").update(body).digest("hex")}"`;
}
