import { xhtmlEscape } from "./xhtml.ts";

/** What {@linkcode linkify} makes of the URLs it finds. */
export interface LinkifyOptions {
  /**
   * Shows at most about 30 characters of a URL; the whole one is in `title`.
   *
   * @default {false}
   */
  shorten?: boolean;
  /**
   * More attributes for the link, as HTML, or a function that gives them for an `href`.
   *
   * @default {""}
   */
  extraParams?: string | ((href: string) => string);
  /**
   * Leaves `www.example.com`, without `http://`, alone.
   *
   * @default {false}
   */
  requireProtocol?: boolean;
  /**
   * Schemes that become links. Mind that `javascript` is one.
   *
   * @default {["http", "https"]}
   */
  permittedProtocols?: readonly string[];
}

// What can begin a URL: the end of a scheme, or a host known by its first label.
const PREFIX_REGEXP = /:\/{1,3}|\bwww\./g;

const SCHEME_CHAR_REGEXP = /[\w-]/;

// None of these is the last character of a URL: behind one they end the sentence.
const PUNCTUATION = "!\"#$%&'()*+,.:;<=>?@[]^`{|}~";

const OUTSIDE_REGEXP = /[\s<>'()]/;

const SHORT_LENGTH = 30;

/** A URL found in a text. */
interface Link {
  start: number;
  end: number;
  scheme: string; // empty for `www.`
  prefixEnd: number; // just after `http://`; the start for `www.`
}

/**
 * Turns text into HTML in which its URLs are links; everything else is escaped.
 *
 * A URL ends before the punctuation that follows it, and holds brackets only in pairs. The time
 * it takes is linear in the length of the text.
 *
 * @example Make links
 * ```ts
 * import { linkify } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(linkify("See http://example.com/!"), 'See <a href="http://example.com/">http://example.com/</a>!');
 * ```
 */
export function linkify(text: string, options: LinkifyOptions = {}): string {
  let html = "";
  let at = 0;
  for (const link of findLinks(text)) {
    html += xhtmlEscape(text.slice(at, link.start)) +
      format(text, link, options);
    at = link.end;
  }
  return html + xhtmlEscape(text.slice(at));
}

function* findLinks(text: string): Generator<Link, void, unknown> {
  let after = 0; // nothing before it belongs to a link any more
  for (const { 0: prefix, index } of text.matchAll(PREFIX_REGEXP)) {
    if (index < after) continue;
    const hasScheme = prefix.startsWith(":");
    const start = hasScheme ? schemeStart(text, after, index) : index;
    if (hasScheme && start === index) continue;
    const end = linkEnd(text, index + prefix.length);
    if (end === -1) continue;
    after = end;
    yield hasScheme
      ? {
        start,
        end,
        scheme: text.slice(start, index),
        prefixEnd: index + prefix.length,
      }
      : { start, end, scheme: "", prefixEnd: start };
  }
}

/** Looks for the start of a scheme backwards from its colon; linear, as no scheme holds a colon. */
function schemeStart(text: string, after: number, colon: number): number {
  let start = colon;
  while (start > after && SCHEME_CHAR_REGEXP.test(text[start - 1]!)) start--;
  while (text[start] === "-") start++;
  return start;
}

/** Gives the end of the URL whose prefix ends at `start`, or -1 if nothing follows the prefix. */
function linkEnd(text: string, start: number): number {
  let end = -1;
  for (let at = start; at < text.length; at++) {
    const char = text[at]!;
    if (char === "(") {
      at = closingBracket(text, at);
      if (at === -1) return end;
      end = at + 1;
    } else if (OUTSIDE_REGEXP.test(char)) return end;
    else if (!PUNCTUATION.includes(char)) end = at + 1;
  }
  return end;
}

/** Gives the bracket that closes the one at `open`, or -1 if the URL ends or another one opens before it. */
function closingBracket(text: string, open: number): number {
  for (let at = open + 1; at < text.length; at++) {
    if (text[at] === ")") return at;
    if (OUTSIDE_REGEXP.test(text[at]!)) return -1;
  }
  return -1;
}

function format(text: string, link: Link, options: LinkifyOptions): string {
  const {
    shorten = false,
    extraParams = "",
    requireProtocol = false,
    permittedProtocols = ["http", "https"],
  } = options;
  const url = text.slice(link.start, link.end);
  const isPermitted = link.scheme === ""
    ? !requireProtocol
    : permittedProtocols.includes(link.scheme);
  if (!isPermitted) return xhtmlEscape(url);

  const href = link.scheme === "" ? `http://${url}` : url;
  const extra = (typeof extraParams === "string" ? extraParams : extraParams(href)).trim();
  let attributes = `href="${xhtmlEscape(href)}"`;
  if (extra !== "") attributes += ` ${extra}`;
  const shown = shorten ? shortened(url, link.prefixEnd - link.start) : url;
  if (shown !== url) attributes += ` title="${xhtmlEscape(href)}"`;
  return `<a ${attributes}>${xhtmlEscape(shown)}</a>`;
}

/** Keeps the host and the start of the first segment of the path, if that is shorter. */
function shortened(url: string, prefixLength: number): string {
  if (url.length <= SHORT_LENGTH) return url;
  const [host, segment] = url.slice(prefixLength).split("/", 2);
  let short = url;
  if (segment !== undefined) {
    short = `${url.slice(0, prefixLength)}${host}/${segment.slice(0, 8).split(/[?.]/, 1)[0]}`;
  }
  if (short.length > SHORT_LENGTH * 1.5) short = short.slice(0, SHORT_LENGTH);
  return short.length + 3 < url.length ? `${short}...` : url;
}
