// A path argument becomes a file in three steps: parseUrlPath() makes it a path of this
// system, getAbsolutePath() puts it below the root, validateAbsolutePath() refuses what is
// not a file inside the root. The last looks at the path as text first, so that nothing is
// said about files elsewhere, and then at where it leads when links are followed.
import { join, relative, resolve, sep } from "node:path";
import { lookup } from "mrmime";
import type { CoroutineGenerator } from "../gen/mod.ts";
import { describeError } from "../ioloop/errors.ts";
import { Future, genLog } from "../ioloop/mod.ts";
import { formatTimestamp, getContentRange } from "../http/mod.ts";
import { acceptsEncoding } from "./_accepts_encoding.ts";
import { type ByteRange, partHead, selectRanges } from "./_byte_ranges.ts";
import { contentHash, contentHashSync, forgetContentHashes } from "./_content_hash.ts";
import { matchesEntityTag } from "./_entity_tag.ts";
import { HTTPError } from "./errors.ts";
import { readPieces } from "./_file_pieces.ts";
import { RequestHandler } from "./request_handler.ts";

/** Options of a {@linkcode StaticFileHandler}, the third element of its route. */
export interface StaticFileHandlerOptions {
  /** The directory of the files; nothing outside of it is served. */
  path: string;
  /** The name of the file that is served for a directory; without it directories are 403. */
  defaultFilename?: string;
  /**
   * Whether files and directories whose name begins with a dot are served; those of
   * `.well-known` always are (RFC 8615).
   *
   * @default {false}
   */
  dotFiles?: boolean;
  /**
   * Whether `name.br` or `name.gz` beside a file `name` is sent instead of it, to clients that
   * take that encoding.
   *
   * @default {false}
   */
  precompressed?: boolean;
}

/** Options of {@linkcode StaticFileHandler.get}. */
export interface StaticGetOptions {
  /**
   * Whether the content is sent, and not only what describes it.
   *
   * @default {true}
   */
  includeBody?: boolean;
}

/** Options of {@linkcode StaticFileHandler.makeStaticUrl}. */
export interface StaticUrlOptions {
  /**
   * Whether the URL carries the version of the file.
   *
   * @default {true}
   */
  includeVersion?: boolean;
}

type Settings = Readonly<Record<string, unknown>>;

// Errors of the file system that mean: no file has this name.
const MISSING_CODES = ["ENOENT", "ENOTDIR", "EINVAL", "ENAMETOOLONG", "ELOOP"];

/**
 * Serves the files of a directory, with conditional requests and ranges. The route's one group
 * is the path below the directory.
 *
 * A file is read in pieces, each when the client took the one before, and closed also when
 * the client leaves. Links are followed inside the directory only.
 *
 * @example Serve a directory
 * ```ts
 * import { Future, IOLoop } from "@waterspout/waterspout/ioloop";
 * import { Application, StaticFileHandler } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * const path = await Deno.makeTempDir();
 * await Deno.writeTextFile(`${path}/notes.txt`, "hello");
 *
 * await new IOLoop().run(function* () {
 *   const app = new Application([["/files/(.*)", StaticFileHandler, { path }]]);
 *   const server = app.listen(0, "127.0.0.1");
 *   const { port } = server.addresses[0] as Deno.NetAddr;
 *   const response = yield* Future.from(fetch(`http://127.0.0.1:${port}/files/notes.txt`));
 *   assertEquals(response.headers.get("Content-Type"), "text/plain; charset=UTF-8");
 *   assertEquals(yield* Future.from(response.text()), "hello");
 *   server.stop();
 *   yield* server.closeAllConnections();
 * });
 * await Deno.remove(path, { recursive: true });
 * ```
 */
export class StaticFileHandler extends RequestHandler {
  /** The seconds that a URL with a version may be cached: ten years. */
  static CACHE_MAX_AGE: number = 86400 * 365 * 10;

  /** The path below the root, as this system writes it. */
  path = "";
  /** The file; empty before it was found. */
  absolutePath = "";

  #root = "";
  #defaultFilename: string | null = null;
  #dotFiles = false;
  #precompressed = false;
  #encoding: string | null = null; // of the file that is sent instead of the one that was asked
  #served = ""; // the file that is sent
  #info: Deno.FileInfo | null = null; // of the file; there once it was found
  #modified: Date | null = null;
  #version = "";

  /** Takes the directory, and the name of its index files. */
  override initialize(options: StaticFileHandlerOptions): void {
    if (typeof options?.path !== "string") {
      throw new TypeError("Cannot serve files: the route's third element must hold their `path`");
    }
    this.#root = resolve(options.path);
    this.#defaultFilename = options.defaultFilename ?? null;
    this.#dotFiles = options.dotFiles ?? false;
    this.#precompressed = options.precompressed ?? false;
  }

  /** Answers with what describes the file. */
  override *head(path: string): CoroutineGenerator {
    yield* this.get(path, { includeBody: false });
  }

  /** Answers with the file, a range of it, or 304. */
  override *get(
    path: string,
    { includeBody = true }: StaticGetOptions = {},
  ): CoroutineGenerator {
    const { getAbsolutePath, getContentVersion } = this.#class;
    this.path = this.parseUrlPath(path);
    const absolutePath = yield* this.validateAbsolutePath(
      this.#root,
      getAbsolutePath.call(this.#class, this.#root, this.path),
    );
    if (absolutePath === null) return;
    this.absolutePath = this.#served = absolutePath;
    if (this.#precompressed) yield* this.#lookForCompressed();
    this.#modified = this.getModifiedTime();
    const version = getContentVersion === StaticFileHandler.getContentVersion
      ? contentHash(this.#served, this.#info!) // spares it another look
      : getContentVersion.call(this.#class, this.#served);
    this.#version = yield* Future.from(version);
    this.setHeaders();
    if (this.shouldReturn304()) {
      this.setStatus(304);
      return;
    }
    const size = this.getContentSize();
    const ranges = this.#selectRanges(size) ?? [{ start: 0, end: size }];
    if (ranges.length > 1) yield* this.#sendParts(ranges, size, includeBody);
    else if (ranges.length === 1) yield* this.#sendOne(ranges[0]!, size, includeBody);
    else {
      this.setStatus(416);
      this.setHeader("Content-Type", "text/plain");
      this.setHeader("Content-Range", `bytes */${size}`);
    }
  }

  /** Turns the path of a URL into one of this system; override it for another URL scheme. */
  parseUrlPath(path: string): string {
    return sep === "/" ? path : path.replaceAll("/", sep);
  }

  /** Returns where the file `path` of the directory `root` is, absolute. */
  static getAbsolutePath(root: string, path: string): string {
    return resolve(root, path);
  }

  /**
   * Returns the file to serve for `absolutePath`: itself, or the index of a directory. After
   * a redirect, of a directory to its path with a slash, it returns null.
   *
   * @throws {HTTPError} 403 outside of `root` and for what is no file, 404 for what is missing.
   */
  *validateAbsolutePath(root: string, absolutePath: string): CoroutineGenerator<string | null> {
    let path = absolutePath;
    let info = yield* this.#look(root, path);
    if (info.isDirectory && this.#defaultFilename !== null) {
      if (!this.request.path.endsWith("/")) {
        this.#redirectToSlash();
        return null;
      }
      path = join(path, this.#defaultFilename);
      info = yield* this.#look(root, path);
    }
    if (!info.isFile) throw new HTTPError(403, `${this.path} is not a file`);
    this.#info = info;
    return path;
  }

  /**
   * Returns bytes [start, end) of the file, whole or in pieces, each of which is good until the
   * next is asked for; override it to serve what is not in a file.
   */
  static getContent(
    absolutePath: string,
    start?: number,
    end?: number,
  ): AsyncIterable<Uint8Array> | Uint8Array {
    return readPieces(absolutePath, start, end);
  }

  /**
   * Returns what changes with the content: its SHA-512 in hex. A file is read for it when it
   * is new or its size or time changed.
   */
  static getContentVersion(absolutePath: string): string | PromiseLike<string> {
    return contentHash(absolutePath);
  }

  /** Returns the size of the file in bytes. */
  getContentSize(): number {
    return this.#found.size;
  }

  /** Returns when the file was changed, null when that is not known. */
  getModifiedTime(): Date | null {
    return this.#found.mtime;
  }

  /** Returns the Content-Type, by the extension of the file; text is UTF-8. */
  getContentType(): string {
    const type = lookup(this.absolutePath) ?? "application/octet-stream";
    return type.startsWith("text/") ? `${type}; charset=UTF-8` : type;
  }

  /** Returns the seconds that the file may be cached: ten years if the URL has a version. */
  getCacheTime(_path: string, _modified: Date | null, _mimeType: string): number {
    return this.request.queryArguments["v"] === undefined ? 0 : this.#class.CACHE_MAX_AGE;
  }

  /** Is called behind {@linkcode setHeaders}; override it to add some. */
  setExtraHeaders(_path: string): void {}

  /** Sets the headers that describe the file. */
  setHeaders(): void {
    this.setHeader("Accept-Ranges", "bytes");
    this.setHeader("Etag", this.computeEtag());
    if (this.#modified !== null) this.setHeader("Last-Modified", this.#modified);
    const type = this.getContentType();
    this.setHeader("Content-Type", type);
    if (this.#precompressed) this.setHeader("Vary", "Accept-Encoding");
    if (this.#encoding !== null) this.setHeader("Content-Encoding", this.#encoding);
    const cacheTime = this.getCacheTime(this.path, this.#modified, type);
    if (cacheTime > 0) {
      this.setHeader("Expires", new Date(Date.now() + 1000 * cacheTime));
      // RFC 8246: a URL with the version never has other content.
      const kind = this.request.queryArguments["v"] === undefined ? "" : ", immutable";
      this.setHeader("Cache-Control", `max-age=${cacheTime}${kind}`);
    }
    this.setExtraHeaders(this.path);
  }

  /** Returns the entity tag, a strong one: the version in quotes. */
  override computeEtag(): string {
    return `"${this.#version}"`;
  }

  /** Tells whether the client has the file. If it sent tags, its time does not count. */
  shouldReturn304(): boolean {
    const { headers } = this.request;
    if (headers.has("If-None-Match")) {
      return matchesEntityTag(headers.getList("If-None-Match").join(","), this.computeEtag());
    }
    const since = headers.get("If-Modified-Since");
    if (since === null || this.#modified === null) return false;
    return inSeconds(this.#modified) <= parseTime(since);
  }

  /**
   * Returns the version of a file of the setting `staticPath`, null (and logged) when it
   * cannot be read. A file that is new or changed is read at once, while all else waits.
   */
  static getVersion(settings: Settings, path: string): string | null {
    const absolutePath = this.getAbsolutePath(String(settings["staticPath"]), path);
    try {
      return contentHashSync(absolutePath, settings["staticHashCache"] !== false);
    } catch (error) {
      genLog.error("Cannot read static file {path}: {error}", {
        path,
        error: describeError(error),
      });
      return null;
    }
  }

  /** Returns the URL of a file of the setting `staticPath`, such as `/static/x.css?v=...`. */
  static makeStaticUrl(
    settings: Settings,
    path: string,
    { includeVersion = true }: StaticUrlOptions = {},
  ): string {
    const url = `${settings["staticUrlPrefix"] ?? "/static/"}${path}`;
    const version = includeVersion ? this.getVersion(settings, path) : null;
    return version === null ? url : `${url}?v=${version}`;
  }

  /** Forgets the versions of all files. */
  static reset(): void {
    forgetContentHashes();
  }

  get #class(): typeof StaticFileHandler {
    return this.constructor as typeof StaticFileHandler;
  }

  get #found(): Deno.FileInfo {
    if (this.#info === null) {
      throw new Error("Cannot describe the file: validateAbsolutePath() did not look for one");
    }
    return this.#info;
  }

  *#look(root: string, path: string): CoroutineGenerator<Deno.FileInfo> {
    if (!isInside(root, path)) this.#refuseOutside();
    if (!this.#dotFiles && hasDotName(relative(root, path))) {
      throw new HTTPError(403, `${this.path} is hidden`);
    }
    try {
      const [realRoot, realPath]: [string, string] = yield [
        Deno.realPath(root),
        Deno.realPath(path),
      ];
      if (!isInside(realRoot, realPath)) this.#refuseOutside();
      return yield Deno.stat(realPath);
    } catch (error) {
      const { code } = error as { code?: string };
      if (code !== undefined && MISSING_CODES.includes(code)) throw new HTTPError(404);
      if (error instanceof Deno.errors.PermissionDenied) {
        throw new HTTPError(403, `${this.path} is not readable`, { cause: error });
      }
      throw error;
    }
  }

  #refuseOutside(): never {
    throw new HTTPError(403, `${this.path} is not in the root directory`);
  }

  #redirectToSlash(): void {
    const { path, query } = this.request;
    // In a Location field it would name another host.
    if (path.startsWith("//")) throw new HTTPError(403, `${path} begins with two slashes`);
    this.redirect(`${path}/${query === "" ? "" : `?${query}`}`, { permanent: true });
  }

  // Looks for a sibling of the file that is compressed in a way that the client takes.
  *#lookForCompressed(): CoroutineGenerator {
    const field = this.request.headers.get("Accept-Encoding", "");
    for (const [encoding, extension] of COMPRESSED) {
      if (!acceptsEncoding(field, encoding)) continue;
      try {
        const path = this.absolutePath + extension;
        const info = yield* this.#look(this.#root, path);
        if (!info.isFile) continue;
        this.#info = info;
        this.#served = path;
        this.#encoding = encoding;
        return;
      } catch (error) {
        if (!(error instanceof HTTPError)) throw error;
      }
    }
  }

  // Returns what of the content was asked for; null for all of it.
  #selectRanges(size: number): readonly ByteRange[] | null {
    const field = this.request.headers.get("Range");
    return field === null || !this.#holdsRange() ? null : selectRanges(field, size);
  }

  // RFC 9110 13.1.5: with another If-Range the client has an older file, and a range of this
  // one would not fit.
  #holdsRange(): boolean {
    const condition = this.request.headers.get("If-Range");
    return condition === null || condition === this.computeEtag() ||
      this.#modified !== null && condition === formatTimestamp(this.#modified);
  }

  *#sendOne(range: ByteRange, size: number, includeBody: boolean): CoroutineGenerator {
    const { start, end } = range;
    if (end - start < size) {
      this.setStatus(206);
      this.setHeader("Content-Range", getContentRange(start, end, size));
    }
    this.setHeader("Content-Length", end - start);
    if (includeBody) yield* this.#send(range);
  }

  // RFC 9110 15.3.7.2
  *#sendParts(
    ranges: readonly ByteRange[],
    size: number,
    includeBody: boolean,
  ): CoroutineGenerator {
    const boundary = crypto.randomUUID();
    const type = this.getContentType();
    const heads = ranges.map((range) => partHead(boundary, type, range, size));
    const end = `\r\n--${boundary}--\r\n`;
    const length = ranges.reduce((sum, { start, end }) => sum + end - start, 0) +
      heads.join("").length + end.length; // all ASCII
    this.setStatus(206);
    this.setHeader("Content-Type", `multipart/byteranges; boundary=${boundary}`);
    this.setHeader("Content-Length", length);
    if (!includeBody) return;
    for (const [i, range] of ranges.entries()) {
      this.write(heads[i]!);
      yield* this.#send(range);
    }
    this.write(end);
  }

  *#send({ start, end }: ByteRange): CoroutineGenerator {
    const content = this.#class.getContent(this.#served, start, end);
    if (content instanceof Uint8Array) {
      this.write(content);
      return;
    }
    const pieces = content[Symbol.asyncIterator]();
    try {
      for (;;) {
        const { done, value }: IteratorResult<Uint8Array> = yield pieces.next();
        if (done) return;
        this.write(value);
        yield* this.flush();
      }
    } finally {
      yield pieces.return?.(); // it waits for a next() in progress, then closes the file
    }
  }
}

const COMPRESSED = [["br", ".br"], ["gzip", ".gz"]] as const; // the smaller one first

function hasDotName(path: string): boolean {
  return path.split(sep).some((name) =>
    name.startsWith(".") && name !== ".well-known" && name !== ".."
  );
}

function isInside(root: string, path: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
}

function inSeconds(time: Date): number {
  return Math.floor(time.getTime() / 1000);
}

// The three forms of RFC 9110 5.6.7 are all in GMT, but one does not say it. NaN for others.
function parseTime(text: string): number {
  return inSeconds(new Date(text.endsWith("GMT") ? text : `${text} GMT`));
}
