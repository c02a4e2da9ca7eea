import { ChunkedDecoder } from "../http/chunked_decoder.ts";
import { HTTPHeaders } from "../http/headers.ts";
import { RequestParser } from "../http/request_parser.ts";
import { formatResponseHead } from "../http/response_head.ts";

const encoder = new TextEncoder();

// Two targets of different length: a head equal to the one before is not parsed again.
const SMALL = ["/", "/a"].map((target) =>
  encoder.encode(`GET ${target} HTTP/1.1\r\nHost: localhost:8080\r\nAccept: */*\r\n\r\n`)
);

const BROWSER_FIELDS = "Host: www.example.com:8080\r\n" +
  "Connection: keep-alive\r\n" +
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" +
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n" +
  "Accept-Language: en-US,en;q=0.5\r\n" +
  "Accept-Encoding: gzip, deflate, br\r\n" +
  "DNT: 1\r\n" +
  "Cookie: session=0f8c2a7e5d; theme=dark; consent=analytics\r\n" +
  "Priority: u=0, i\r\n";

const BROWSER = ["/articles/2026/index.html?page=2", "/articles/2026/index.html?page=10"].map((
  target,
) => encoder.encode(`GET ${target} HTTP/1.1\r\n${BROWSER_FIELDS}\r\n`));

/** The floor: every byte looked at once and added up. */
function readBytes(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at++) sum += bytes[at]!;
  return sum;
}

function benchHeads(group: string, heads: Uint8Array[]): void {
  let turn = 0;
  const next = () => heads[turn++ % heads.length]!;

  Deno.bench(`${group}: read the bytes`, { group, baseline: true }, () => {
    readBytes(next());
  });

  const parser = new RequestParser();
  Deno.bench(`${group}: parse`, { group }, () => {
    const head = next();
    parser.parse(head, 0, head.length);
  });

  const repeated = heads[0]!;
  const repeating = new RequestParser();
  Deno.bench(`${group}: parse the same again`, { group }, () => {
    repeating.parse(repeated, 0, repeated.length);
  });
}

benchHeads("head, 2 fields, 53 B", SMALL);
benchHeads(`head, 9 fields, ${BROWSER[0]!.length} B`, BROWSER);

{
  const group = "chunked body, 16 chunks of 1 KiB";
  const chunk = `400\r\n${"x".repeat(1024)}\r\n`;
  const body = encoder.encode(`${chunk.repeat(16)}0\r\n\r\n`);
  const decoder = new ChunkedDecoder();

  Deno.bench("copy it", { group, baseline: true }, () => {
    body.slice();
  });

  Deno.bench("decode it", { group }, () => {
    decoder.reset();
    for (let at = 0; !decoder.done;) at = decoder.next(body, at, body.length);
  });
}

{
  const group = "look a field up that is not there, 9 fields";

  Deno.bench("Fetch API headers", { group, baseline: true }, () => {
    const headers = new Headers();
    for (const line of BROWSER_FIELDS.split("\r\n")) {
      const colon = line.indexOf(":");
      if (colon !== -1) headers.append(line.slice(0, colon), line.slice(colon + 2));
    }
    headers.get("If-None-Match");
  });

  Deno.bench("fromBlock() and get()", { group }, () => {
    HTTPHeaders.fromBlock(BROWSER_FIELDS).get("If-None-Match");
  });
}

{
  const group = "response head, 5 fields";
  const fields: [string, string][] = [
    ["Server", "Waterspout/1.0"],
    ["Content-Type", "text/html; charset=UTF-8"],
    ["Date", "Sun, 27 Jan 2013 18:43:20 GMT"],
    ["Etag", '"5be7ae1efa1a9ac4"'],
    ["Content-Length", "12"],
  ];

  Deno.bench("join strings", { group, baseline: true }, () => {
    let head = "HTTP/1.1 200 OK\r\n";
    for (const [name, value] of fields) head += `${name}: ${value}\r\n`;
    (head + "\r\n").charCodeAt(0);
  });

  Deno.bench("set fields and formatResponseHead()", { group }, () => {
    const headers = new HTTPHeaders();
    for (const [name, value] of fields) headers.set(name, value);
    formatResponseHead(200, "OK", headers);
  });
}
