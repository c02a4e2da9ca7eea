/**
 * permessage-deflate, RFC 7692: what is offered, what is accepted, and whether an answer may
 * stand. Values in, values out.
 *
 * @module
 */

/** How a connection compresses what it sends, and what it wants of its peer. */
export interface CompressionOptions {
  /**
   * From 0, no compression at all, to 9, the most.
   *
   * @default {6}
   */
  compressionLevel?: number;
  /**
   * From 1 to 9: how much memory a compression may take while it runs.
   *
   * @default {8}
   */
  memLevel?: number;
  /**
   * From 8 to 15: a message may refer back to the last 2 to the power of this bytes that were
   * sent. So many are kept for each connection.
   *
   * @default {15}
   */
  maxWindowBits?: number;
  /**
   * The same for what the peer sends. Not every client can do with less than 15.
   *
   * @default {15}
   */
  peerMaxWindowBits?: number;
  /**
   * Whether each message that is sent stands alone, so that nothing is kept for the next one.
   *
   * @default {false}
   */
  noContextTakeover?: boolean;
  /**
   * Whether the same is asked of the peer.
   *
   * @default {false}
   */
  peerNoContextTakeover?: boolean;
  /**
   * The bytes from which on a message is compressed. One that would not get shorter never is.
   *
   * @default {0}
   */
  threshold?: number;
}

/** {@linkcode CompressionOptions} with nothing left out. */
export type CompressionSettings = Required<CompressionOptions>;

/** One direction of a connection, as both ends agreed on it. */
export interface DeflateDirection {
  /** How far back a message may refer, as a power of 2. */
  readonly windowBits: number;
  /** Whether a message may refer to those before it. */
  readonly contextTakeover: boolean;
}

/** What both ends agreed on, as one of them sees it. */
export interface DeflateAgreement {
  /** What this end sends. */
  readonly outgoing: DeflateDirection;
  /** What the peer sends. */
  readonly incoming: DeflateDirection;
}

/** What a server takes, and the field that says so. */
export interface AcceptedDeflate {
  /** The agreement, as the server sees it. */
  readonly agreement: DeflateAgreement;
  /** Sec-WebSocket-Extensions of the answer. */
  readonly response: string;
}

/** An extension of the field Sec-WebSocket-Extensions; a parameter without value is true. */
export interface ExtensionOffer {
  /** Its name, as it came. */
  readonly name: string;
  /** Its parameters, as they came. */
  readonly parameters: ReadonlyMap<string, string | true>;
}

const NAME = "permessage-deflate";
const SERVER_BITS = "server_max_window_bits";
const CLIENT_BITS = "client_max_window_bits";
const SERVER_ALONE = "server_no_context_takeover";
const CLIENT_ALONE = "client_no_context_takeover";
const MAX_BITS = 15;

/**
 * Fills in what `options` leave out.
 *
 * @throws {RangeError} when a number is out of its range.
 */
export function compressionSettings(options: CompressionOptions): CompressionSettings {
  const settings = {
    compressionLevel: options.compressionLevel ?? 6,
    memLevel: options.memLevel ?? 8,
    maxWindowBits: options.maxWindowBits ?? MAX_BITS,
    peerMaxWindowBits: options.peerMaxWindowBits ?? MAX_BITS,
    noContextTakeover: options.noContextTakeover ?? false,
    peerNoContextTakeover: options.peerNoContextTakeover ?? false,
    threshold: options.threshold ?? 0,
  };
  checkRange("compressionLevel", settings.compressionLevel, 0, 9);
  checkRange("memLevel", settings.memLevel, 1, 9);
  checkRange("maxWindowBits", settings.maxWindowBits, 8, MAX_BITS);
  checkRange("peerMaxWindowBits", settings.peerMaxWindowBits, 8, MAX_BITS);
  if (!(settings.threshold >= 0)) {
    throw new RangeError(`Cannot compress: threshold must be 0 or more, not ${settings.threshold}`);
  }
  return settings;
}

function checkRange(name: string, value: number, from: number, to: number): void {
  if (Number.isInteger(value) && value >= from && value <= to) return;
  throw new RangeError(
    `Cannot compress: ${name} must be a whole number from ${from} to ${to}, not ${value}`,
  );
}

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";

// RFC 6455 9.1. A quoted value must be a token once it is unquoted.
const EXTENSION_REGEXP = new RegExp(
  `^[ \\t]*(${TOKEN})((?:[ \\t]*;[ \\t]*${TOKEN}(?:[ \\t]*=[ \\t]*(?:${TOKEN}|"${TOKEN}"))?)*)[ \\t]*$`,
);
const PARAMETER_REGEXP = new RegExp(
  `;[ \\t]*(${TOKEN})(?:[ \\t]*=[ \\t]*(?:(${TOKEN})|"(${TOKEN})"))?`,
  "g",
);

/**
 * Takes a Sec-WebSocket-Extensions field apart.
 *
 * @example Two offers
 * ```ts
 * import { parseExtensions } from "@waterspout/waterspout/websocket";
 * import { assertEquals } from "@std/assert";
 *
 * const offers = parseExtensions("a; x; y=8, b");
 * assertEquals(offers?.map(({ name }) => name), ["a", "b"]);
 * assertEquals(offers?.[0]?.parameters, new Map<string, string | true>([["x", true], ["y", "8"]]));
 * assertEquals(parseExtensions("a; ="), null);
 * ```
 *
 * @param header The field, or `null` if there is none.
 * @returns The extensions in the order they came; `null` if the field breaks the grammar, or
 * names a parameter twice.
 */
export function parseExtensions(header: string | null): ExtensionOffer[] | null {
  if (header === null) return [];
  const offers: ExtensionOffer[] = [];
  for (const text of header.split(",")) {
    if (text.trim() === "") continue; // RFC 9110 5.6.1: empty elements of a list are ignored
    const match = EXTENSION_REGEXP.exec(text);
    if (match === null) return null;
    const parameters = new Map<string, string | true>();
    for (const [, name, plain, quoted] of match[2]!.matchAll(PARAMETER_REGEXP)) {
      if (parameters.has(name!)) return null;
      parameters.set(name!, plain ?? quoted ?? true);
    }
    offers.push({ name: match[1]!, parameters });
  }
  return offers;
}

// The parameters of one offer or answer; window bits are null if they were not named, and 0 if
// they were named without a number.
interface DeflateParameters {
  readonly serverBits: number | null;
  readonly clientBits: number | null;
  readonly serverAlone: boolean;
  readonly clientAlone: boolean;
}

// RFC 7692 7.1: null for what no end may say.
function readParameters({ parameters }: ExtensionOffer): DeflateParameters | null {
  let serverBits: number | null = null;
  let clientBits: number | null = null;
  let serverAlone = false;
  let clientAlone = false;
  for (const [name, value] of parameters) {
    if (name === SERVER_ALONE && value === true) serverAlone = true;
    else if (name === CLIENT_ALONE && value === true) clientAlone = true;
    else if (name === SERVER_BITS && isWindowBits(value)) serverBits = Number(value);
    else if (name === CLIENT_BITS && value === true) clientBits = 0;
    else if (name === CLIENT_BITS && isWindowBits(value)) clientBits = Number(value);
    else return null;
  }
  return { serverBits, clientBits, serverAlone, clientAlone };
}

function isWindowBits(value: string | true): value is string {
  return value !== true && /^([89]|1[0-5])$/.test(value);
}

/**
 * Chooses among the offers of a client: the first one that keeps the rules and can be served.
 *
 * @example A plain offer
 * ```ts
 * import { acceptDeflate } from "@waterspout/waterspout/websocket";
 * import { assertEquals } from "@std/assert";
 *
 * const accepted = acceptDeflate("permessage-deflate; client_max_window_bits", {});
 * assertEquals(accepted?.response, "permessage-deflate");
 * assertEquals(accepted?.agreement.incoming, { windowBits: 15, contextTakeover: true });
 * ```
 *
 * @param header Sec-WebSocket-Extensions of the request, or `null` if there is none.
 * @param options What the server wants.
 * @returns What to answer and go by; `null` for no compression.
 * @throws {RangeError} If a number of `options` is out of its range.
 */
export function acceptDeflate(
  header: string | null,
  options: CompressionOptions,
): AcceptedDeflate | null {
  const settings = compressionSettings(options);
  for (const offer of parseExtensions(header) ?? []) {
    if (offer.name.toLowerCase() !== NAME) continue;
    const offered = readParameters(offer);
    if (offered !== null) return answerTo(offered, settings);
  }
  return null;
}

function answerTo(offered: DeflateParameters, settings: CompressionSettings): AcceptedDeflate {
  const serverBits = Math.min(offered.serverBits ?? MAX_BITS, settings.maxWindowBits);
  // RFC 7692 7.1.2.2: a client that does not name it cannot be told to use less.
  const clientBits = offered.clientBits === null
    ? MAX_BITS
    : Math.min(offered.clientBits || MAX_BITS, settings.peerMaxWindowBits);
  const serverAlone = offered.serverAlone || settings.noContextTakeover;
  const clientAlone = offered.clientAlone || settings.peerNoContextTakeover;
  const parts = [NAME];
  if (serverAlone) parts.push(SERVER_ALONE);
  if (clientAlone) parts.push(CLIENT_ALONE);
  if (offered.serverBits !== null || serverBits < MAX_BITS) {
    parts.push(`${SERVER_BITS}=${serverBits}`);
  }
  if (clientBits < MAX_BITS || (offered.clientBits ?? 0) > 0) {
    parts.push(`${CLIENT_BITS}=${clientBits}`);
  }
  return {
    agreement: {
      outgoing: { windowBits: serverBits, contextTakeover: !serverAlone },
      incoming: { windowBits: clientBits, contextTakeover: !clientAlone },
    },
    response: parts.join("; "),
  };
}

/**
 * Writes the offer of a client.
 *
 * @param options What the client wants.
 * @returns Sec-WebSocket-Extensions of the request.
 * @throws {RangeError} If a number of `options` is out of its range.
 */
export function offerDeflate(options: CompressionOptions): string {
  const settings = compressionSettings(options);
  const parts = [NAME];
  if (settings.peerNoContextTakeover) parts.push(SERVER_ALONE);
  if (settings.noContextTakeover) parts.push(CLIENT_ALONE);
  if (settings.peerMaxWindowBits < MAX_BITS) {
    parts.push(`${SERVER_BITS}=${settings.peerMaxWindowBits}`);
  }
  parts.push(
    settings.maxWindowBits < MAX_BITS ? `${CLIENT_BITS}=${settings.maxWindowBits}` : CLIENT_BITS,
  );
  return parts.join("; ");
}

/**
 * Reads the answer to {@linkcode offerDeflate}.
 *
 * @example An answer that asks for more than was offered
 * ```ts
 * import { readDeflateAnswer } from "@waterspout/waterspout/websocket";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * assertEquals(readDeflateAnswer(null, {}), null);
 * assertThrows(() => readDeflateAnswer("permessage-deflate; client_max_window_bits=12", {
 *   maxWindowBits: 10,
 * }), TypeError, "client_max_window_bits");
 * ```
 *
 * @param header Sec-WebSocket-Extensions of the answer, or `null` if there is none.
 * @param options What was offered; `null` if nothing was.
 * @returns What to go by; `null` for no compression.
 * @throws {TypeError} If the answer does not fit the offer; the connection must fail then.
 */
export function readDeflateAnswer(
  header: string | null,
  options: CompressionOptions | null,
): DeflateAgreement | null {
  const answers = parseExtensions(header);
  if (answers === null) throw misfit("it breaks the grammar");
  const [answer, second] = answers;
  if (answer === undefined) return null;
  const named = second ?? answer;
  if (options === null || second !== undefined || named.name.toLowerCase() !== NAME) {
    throw misfit(`${named.name} was not offered${second === undefined ? "" : " besides"}`);
  }
  const read = readParameters(answer);
  if (read === null) throw misfit("it has parameters that no server may send");
  const settings = compressionSettings(options);
  const { serverBits, clientBits, serverAlone, clientAlone } = read;
  const maxServerBits = settings.peerMaxWindowBits;
  if ((serverBits ?? MAX_BITS) > maxServerBits) {
    throw misfit(`${SERVER_BITS} must be at most ${maxServerBits}`);
  }
  if (clientBits === 0 || (clientBits ?? 8) > settings.maxWindowBits) {
    throw misfit(`${CLIENT_BITS} must be at most ${settings.maxWindowBits}`);
  }
  if (settings.peerNoContextTakeover && !serverAlone) {
    throw misfit(`${SERVER_ALONE} was asked for`);
  }
  return {
    outgoing: {
      windowBits: clientBits ?? settings.maxWindowBits,
      contextTakeover: !(clientAlone || settings.noContextTakeover),
    },
    incoming: { windowBits: serverBits ?? MAX_BITS, contextTakeover: !serverAlone },
  };
}

function misfit(why: string): TypeError {
  return new TypeError(`Cannot take Sec-WebSocket-Extensions: ${why}`);
}
