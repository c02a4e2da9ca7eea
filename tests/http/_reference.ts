// A reader of requests that is slow and plain: the grammar of RFC 9112 and 9110 as regular
// expressions over all that came. It shares nothing with the parsers but the rules.

/** Limits of {@linkcode readRequests}, in bytes but for the count of fields. */
export interface ReferenceLimits {
  readonly maxHeaderSize: number;
  readonly maxHeaderCount: number;
  readonly maxBodySize: number;
}

/** What is in some bytes. */
export interface Reading {
  /** Method, target and body of each request that is whole and good. */
  readonly seen: readonly string[];
  /**
   * What follows them: nothing, since the last one closes; something that is refused; or what
   * is not whole, and may be refused before it is.
   */
  readonly then: "closes" | "refused" | "open";
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const VALUE = "[\\t\\x20-\\x7e\\x80-\\xff]*";
const FIELD_LINES = `(?:${TOKEN}:${VALUE}\\r\\n)*`;
const HEAD_REGEXP = new RegExp(
  `^(?:\\r\\n){0,4}(${TOKEN}) ([!-"$-~]+) HTTP/1\\.(\\d)\\r\\n(${FIELD_LINES})\\r\\n`,
);
const CHUNK_REGEXP = new RegExp(`^([0-9a-f]+)(?:[ \\t]*;${VALUE})?\\r\\n`, "i");
const TRAILER_REGEXP = new RegExp(`^${FIELD_LINES}\\r\\n`);
const HOST = "(?:\\[[0-9a-f:.]+\\]|(?:[\\w.~!$&'()*+;=-]|%[0-9a-f]{2})*)";
const HOST_REGEXP = new RegExp(`^${HOST}(?::\\d*)?$`, "i");
const AUTHORITY_REGEXP = new RegExp(`^(?!:)${HOST}:\\d+$`, "i");
const ABSOLUTE_REGEXP = new RegExp(`^https?://(?![:/?]|$)${HOST}(?::\\d*)?(?:[/?].*)?$`, "i");

/** Reads the requests at the start of `input`, which is latin-1. */
export function readRequests(input: string, limits: ReferenceLimits): Reading {
  const seen: string[] = [];
  for (let left = input;;) {
    const match = HEAD_REGEXP.exec(left);
    if (match === null) {
      const whole = left.replace(/^(?:\r\n){1,4}/, "").includes("\r\n\r\n");
      return { seen, then: whole ? "refused" : "open" };
    }
    const [head, method = "", target = "", version = "", lines = ""] = match;
    const framing = readFields(lines, limits);
    if (
      framing === null || head.length > limits.maxHeaderSize || !isTarget(method, target) ||
      version !== "0" && !framing.hasHost
    ) return { seen, then: "refused" };
    const body = framing.length === null
      ? readChunks(left.slice(head.length), limits)
      : { text: left.slice(head.length).slice(0, framing.length), size: framing.length };
    if (body === null || body.size > left.length - head.length) return { seen, then: "open" };
    if (body.text.length > limits.maxBodySize) return { seen, then: "refused" };
    seen.push(`${method} ${target}${body.text === "" ? "" : ` ${body.text}`}`);
    const { options } = framing;
    if (options.has("close") || version === "0" && !options.has("keep-alive")) {
      return { seen, then: "closes" };
    }
    left = left.slice(head.length + body.size);
  }
}

interface Framing {
  readonly hasHost: boolean;
  readonly length: number | null; // null: it comes in chunks
  readonly options: ReadonlySet<string>;
}

function readFields(lines: string, limits: ReferenceLimits): Framing | null {
  const fields = lines.split("\r\n").slice(0, -1).map((line) => {
    const colon = line.indexOf(":");
    return [
      line.slice(0, colon).toLowerCase(),
      line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, ""),
    ];
  });
  if (fields.length > limits.maxHeaderCount) return null;
  const valuesOf = (name: string) =>
    fields.filter(([its]) => its === name).map(([, value]) => value!);
  const listOf = (name: string) =>
    valuesOf(name).flatMap((value) => value.split(/[ \t]*,[ \t]*/)).map((value) =>
      value.toLowerCase()
    );

  const hosts = valuesOf("host");
  if (hosts.length > 1 || hosts.some((host) => !HOST_REGEXP.test(host))) return null;
  if (valuesOf("expect").some((value) => value.toLowerCase() !== "100-continue")) return null;
  const lengths = listOf("content-length");
  const numbers = new Set(lengths.map((length) => /^\d+$/.test(length) ? Number(length) : NaN));
  const codings = valuesOf("transfer-encoding");
  if (codings.length > 1 || codings.some((coding) => coding.toLowerCase() !== "chunked")) {
    return null;
  }
  if (numbers.size > 1 || numbers.size + codings.length > 1) return null;
  const [length = 0] = numbers;
  if (!(length <= limits.maxBodySize)) return null;
  return {
    hasHost: hosts.length === 1,
    length: codings.length === 1 ? null : length,
    options: new Set(listOf("connection")),
  };
}

function isTarget(method: string, target: string): boolean {
  if (method === "CONNECT") return AUTHORITY_REGEXP.test(target);
  return target.startsWith("/") || target === "*" && method === "OPTIONS" ||
    ABSOLUTE_REGEXP.test(target);
}

// Null: it is not whole, or broken somewhere.
function readChunks(input: string, limits: ReferenceLimits): { text: string; size: number } | null {
  let text = "";
  for (let at = 0;;) {
    const [line, size = ""] = CHUNK_REGEXP.exec(input.slice(at)) ?? [];
    if (line === undefined || line.length > 64) return null;
    at += line.length;
    const length = parseInt(size, 16);
    if (length === 0) {
      const trailer = TRAILER_REGEXP.exec(input.slice(at));
      if (trailer === null || trailer[0].length - 2 > limits.maxHeaderSize) return null;
      return { text, size: at + trailer[0].length };
    }
    if (input.slice(at + length, at + length + 2) !== "\r\n") return null;
    text += input.slice(at, at + length);
    at += length + 2;
  }
}
