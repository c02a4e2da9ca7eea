/**
 * Entity tags, and the two header fields that compare them.
 *
 * @module
 */
import { Buffer } from "node:buffer";

/** What is needed of a `Deno.FileInfo` to tag a file. */
export interface FileInfo {
  /** When the file changed last. */
  mtime: Date | null;
  /** Its size in bytes. */
  size: number;
}

/** Options of {@linkcode eTag}. */
export interface ETagOptions {
  /**
   * The digest.
   *
   * @default {"SHA-256"}
   */
  algorithm?: AlgorithmIdentifier;
  /** Whether the tag is weak; by default that of a file is, that of data is not. */
  weak?: boolean;
}

/** The part of a digest that goes into a tag, in base64 characters. */
const DIGEST_LENGTH = 27;

/** Gives the tag of a body: its length and a part of its digest. */
export async function eTag(
  entity: string | Uint8Array<ArrayBuffer>,
  options?: ETagOptions,
): Promise<string>;
/** Gives the tag of a file by its size and time; `undefined` without a time. */
export async function eTag(
  entity: FileInfo,
  options?: ETagOptions,
): Promise<string | undefined>;
export async function eTag(
  entity: string | Uint8Array<ArrayBuffer> | FileInfo,
  options: ETagOptions = {},
): Promise<string | undefined> {
  const isFile = typeof entity === "object" && "mtime" in entity;
  if (isFile && !entity.mtime) return undefined;
  const [size, data] = isFile ? [entity.size, entity.mtime!.toJSON()] : [entity.length, entity];
  const bytes = typeof data === "string" ? Buffer.from(data) : data;
  // A string is counted in bytes, like the array it becomes.
  const length = isFile ? size : bytes.length;
  const digest = length === 0 && !isFile ? EMPTY_DIGEST : await digestOf(bytes, options.algorithm);
  const tag = `"${length.toString(16)}-${digest}"`;
  return options.weak ?? isFile ? `W/${tag}` : tag;
}

/** The digest of nothing is SHA-256 whatever algorithm is asked for, as in the real one. */
const EMPTY_DIGEST = "47DEQpj8HBSa+/TImW+5JCeuQeR";

async function digestOf(
  bytes: Uint8Array<ArrayBuffer>,
  algorithm: AlgorithmIdentifier = "SHA-256",
): Promise<string> {
  const digest = await crypto.subtle.digest(algorithm, bytes);
  return Buffer.from(digest).toString("base64").slice(0, DIGEST_LENGTH);
}

/** Decides, by strong comparison, whether an If-Match field lists `etag`. */
export function ifMatch(
  value: string | null,
  etag: string | undefined,
): boolean {
  if (!value || !etag || etag.startsWith("W/")) return false;
  return value.trim() === "*" || listed(value).includes(etag);
}

/** Decides, by weak comparison, whether an If-None-Match field does not list `etag`. */
export function ifNoneMatch(
  value: string | null,
  etag: string | undefined,
): boolean {
  if (!value || !etag) return true;
  if (value.trim() === "*") return false;
  return !listed(value).map(opaque).includes(opaque(etag));
}

function listed(value: string): string[] {
  return value.split(/\s*,\s*/);
}

function opaque(tag: string): string {
  return tag.startsWith("W/") ? tag.slice(2) : tag;
}
