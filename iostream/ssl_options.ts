import { createPrivateKey, X509Certificate } from "node:crypto";
import { getCACertificates, getCiphers } from "node:tls";
import type { SecureVersion } from "node:tls";

/**
 * Says how a stream is secured. PEM is given as text, or as the path of a file that holds it.
 *
 * A server needs a certificate and its key; a client verifies certificate and host name of
 * its server unless it is told otherwise.
 */
export interface SslOptions {
  /** The path of the certificate, with those that lead to its authority behind it. */
  certFile?: string | URL;
  /** The path of the key of `certFile` or `cert`. */
  keyFile?: string | URL;
  /** The certificate as PEM, in place of `certFile`. */
  cert?: string;
  /** The key as PEM, in place of `keyFile`. */
  key?: string;
  /**
   * Authorities, each as a path or as PEM. A client trusts them besides those that the runtime
   * trusts; a server trusts nobody else for the certificates of its clients. A client whose
   * TLS `node:tls` does needs sys permission to learn whom the runtime trusts, and trusts
   * nobody else without it.
   */
  caCerts?: string | URL | readonly (string | URL)[];
  /**
   * Whether a server asks its clients for a certificate. One that is given must be valid in
   * either case. Needs `caCerts`.
   *
   * @default {"none"}
   */
  clientCert?: "none" | "optional" | "required";
  /** The application protocols that are offered or accepted, the preferred one first. */
  alpnProtocols?: readonly string[];
  /**
   * The oldest version of TLS that is spoken.
   *
   * @default {"TLSv1.2"}
   */
  minVersion?: "TLSv1.2" | "TLSv1.3";
  /**
   * The names of the ciphers that are good enough, with colons between them, such as
   * `"TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"`. The runtime offers its own list
   * all the same: a handshake that arrives at another cipher fails.
   */
  ciphers?: string;
  /**
   * Whether a client refuses a server whose certificate is not valid. With false, anybody
   * between the two can read and change everything, unless you look at the
   * `peerCertificate` yourself.
   *
   * @default {true}
   */
  rejectUnauthorized?: boolean;
  /**
   * Whether a client refuses a certificate that is made out to another name.
   *
   * @default {true}
   */
  checkHostname?: boolean;
}

/** Options of {@linkcode sslOptionsToContext}. */
export interface SslContextOptions {
  /**
   * Whether it is for the server's side.
   *
   * @default {false}
   */
  serverSide?: boolean;
}

/**
 * Holds options of TLS that were checked, with the files read. Make it once, by
 * {@linkcode sslOptionsToContext}, and use it for any number of streams.
 */
export class SslContext {
  /** Whether it is for the server's side. */
  readonly serverSide: boolean;
  /** The certificate as PEM; undefined: there is none. @ignore */
  readonly _cert: string | undefined;
  /** Its key; there exactly if the certificate is. @ignore */
  readonly _key: string | undefined;
  /** The authorities as PEM, one or more in each. @ignore */
  readonly _caCerts: readonly string[];
  /** See {@linkcode SslOptions.clientCert}. @ignore */
  readonly _clientCert: "none" | "optional" | "required";
  /** See {@linkcode SslOptions.alpnProtocols}. @ignore */
  readonly _alpnProtocols: readonly string[];
  /** See {@linkcode SslOptions.minVersion}. @ignore */
  readonly _minVersion: SecureVersion;
  /** The names of the ciphers in lower case; null: any. @ignore */
  readonly _ciphers: ReadonlySet<string> | null;
  /** See {@linkcode SslOptions.rejectUnauthorized}. @ignore */
  readonly _rejectUnauthorized: boolean;
  /** See {@linkcode SslOptions.checkHostname}; false too where nothing is verified. @ignore */
  readonly _checkHostname: boolean;
  #trusted: readonly string[] | null = null;

  /** Is made by {@linkcode sslOptionsToContext}. @ignore */
  constructor(options: SslOptions, serverSide: boolean) {
    checkKeys(options);
    checkSide(options, serverSide);
    this.serverSide = serverSide;
    this._cert = readPem(options, "cert", "certFile");
    this._key = readPem(options, "key", "keyFile");
    checkPair(this._cert, this._key, serverSide);
    this._caCerts = readAuthorities(options.caCerts);
    this._clientCert = oneOf("clientCert", options.clientCert ?? "none", CLIENT_CERT);
    if (this._clientCert !== "none" && this._caCerts.length === 0) {
      fail(`clientCert "${this._clientCert}" needs caCerts to verify certificates with`);
    }
    this._alpnProtocols = readProtocols(options.alpnProtocols ?? []);
    this._minVersion = oneOf("minVersion", options.minVersion ?? "TLSv1.2", VERSIONS);
    this._ciphers = options.ciphers === undefined ? null : readCiphers(options.ciphers);
    this._rejectUnauthorized = options.rejectUnauthorized ?? true;
    this._checkHostname = this._rejectUnauthorized && (options.checkHostname ?? true);
  }

  /** All authorities that a client trusts, those of the runtime included. @ignore */
  get _trusted(): readonly string[] {
    return this.#trusted ??= [...this._caCerts, ...runtimeAuthorities()];
  }

  /** Shows which side it is for where the context is printed. */
  [Symbol.for("Deno.customInspect")](): string {
    return `SslContext { ${this.serverSide ? "server" : "client"} }`; // and no key
  }
}

/**
 * Checks options of TLS, reads their files and makes a context of them. A context is given
 * back as it is.
 *
 * @throws {TypeError} when an option is unknown, of the wrong kind, missing, or of no use on
 *   this side; the message names it.
 * @throws {Deno.errors.NotFound} and its like when a file cannot be read; the message names
 *   the option.
 * @throws {Deno.errors.InvalidData} when certificate and key are not PEM or no pair.
 *
 * @example The mistake shows before the first connection
 * ```ts
 * import { sslOptionsToContext } from "@waterspout/waterspout/iostream";
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(
 *   () => sslOptionsToContext({ certFile: "no such file", key: "" }, { serverSide: true }),
 *   Deno.errors.NotFound,
 *   "certFile",
 * );
 * ```
 */
export function sslOptionsToContext(
  options: SslOptions | SslContext,
  { serverSide = false }: SslContextOptions = {},
): SslContext {
  if (!(options instanceof SslContext)) return new SslContext(options, serverSide);
  if (options.serverSide !== serverSide) {
    const [made, wanted] = serverSide ? ["client", "server"] : ["server", "client"];
    fail(`the one given was made for a ${made}, expected one for a ${wanted}`);
  }
  return options;
}

const CLIENT_CERT = ["none", "optional", "required"] as const;
const VERSIONS = ["TLSv1.2", "TLSv1.3"] as const; // older ones the runtime does not speak
const SERVER_ONLY = ["clientCert"] as const;
const CLIENT_ONLY = ["rejectUnauthorized", "checkHostname"] as const;
const TYPES: Readonly<Record<keyof SslOptions, readonly string[]>> = {
  certFile: ["string", "object"],
  keyFile: ["string", "object"],
  cert: ["string"],
  key: ["string"],
  caCerts: ["string", "object"],
  clientCert: ["string"],
  alpnProtocols: ["object"],
  minVersion: ["string"],
  ciphers: ["string"],
  rejectUnauthorized: ["boolean"],
  checkHostname: ["boolean"],
};

function checkKeys(options: SslOptions): void {
  if (typeof options !== "object" || options === null) {
    fail(`expected an object of options, got ${Deno.inspect(options)}`);
  }
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(TYPES, name)) {
      fail(`the option "${name}" is unknown, expected one of ${Object.keys(TYPES).join(", ")}`);
    }
    const types = TYPES[name as keyof SslOptions];
    if (value !== undefined && (value === null || !types.includes(typeof value))) {
      fail(`${name} must be ${describeType(types)}, got ${value === null ? value : typeof value}`);
    }
  }
}

function describeType(types: readonly string[]): string {
  return types.join(" or ");
}

// An option that has no effect would be a promise that nobody keeps.
function checkSide(options: SslOptions, serverSide: boolean): void {
  for (const name of serverSide ? CLIENT_ONLY : SERVER_ONLY) {
    if (options[name] === undefined || options[name] === "none") continue;
    fail(`${name} is for ${serverSide ? "clients" : "servers"} only`);
  }
}

function checkPair(
  cert: string | undefined,
  key: string | undefined,
  serverSide: boolean,
): void {
  if (cert === undefined && key === undefined) {
    if (serverSide) fail("a server needs certFile and keyFile, or cert and key");
    return;
  }
  if (cert === undefined) fail("there is a key without certFile or cert");
  if (key === undefined) fail("there is a certificate without keyFile or key");
  const certificate = parse("certificate", () => new X509Certificate(cert));
  const privateKey = parse("key", () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new Deno.errors.InvalidData(
      "Cannot make a TLS context: the key is not the certificate's",
    );
  }
}

function parse<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new Deno.errors.InvalidData(
      `Cannot make a TLS context: the ${what} cannot be read as PEM`,
      { cause },
    );
  }
}

function readPem(
  options: SslOptions,
  textName: "cert" | "key",
  fileName: "certFile" | "keyFile",
): string | undefined {
  const text = options[textName];
  const path = options[fileName];
  if (path === undefined) return text;
  if (text !== undefined) fail(`there are both ${textName} and ${fileName}`);
  return readFile(fileName, path);
}

function readAuthorities(given: SslOptions["caCerts"] = []): string[] {
  const all = typeof given === "string" || given instanceof URL ? [given] : [...given];
  return all.map((each) => {
    const pem = isPem(each) ? each : readFile("caCerts", each);
    if (isPem(pem)) return pem;
    throw new Deno.errors.InvalidData(
      `Cannot make a TLS context: no certificate in the caCerts ${each}`,
    );
  });
}

// The runtime's own list has most of them twice, and each costs time in every handshake.
function runtimeAuthorities(): Iterable<string> {
  try {
    const all = getCACertificates("default");
    return new Map(all.map((pem) => [pem.replaceAll(/\s/g, ""), pem])).values();
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return []; // who may not ask trusts fewer
    throw error;
  }
}

function isPem(text: string | URL): text is string {
  return typeof text === "string" && text.includes("-----BEGIN ");
}

function readFile(name: string, path: string | URL): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (cause) {
    // The class tells a missing file from a missing permission: it stays.
    const { constructor, message } = cause as Error;
    throw new (constructor as ErrorConstructor)(
      `Cannot make a TLS context: cannot read the ${name} ${path}: ${message}`,
      { cause },
    );
  }
}

function readProtocols(protocols: readonly string[]): readonly string[] {
  // RFC 7301 3.1: a name has 1 to 255 bytes.
  const valid = Array.isArray(protocols) &&
    protocols.every((name) => typeof name === "string" && /^[!-~]{1,255}$/.test(name));
  if (!valid) fail("alpnProtocols must be an array of names of 1 to 255 visible characters");
  return [...protocols];
}

function readCiphers(list: string): ReadonlySet<string> {
  const known = new Set(getCiphers());
  const names = list.toLowerCase().split(":");
  const unknown = names.find((name) => !known.has(name));
  if (unknown !== undefined) {
    fail(`the cipher "${unknown}" is unknown, expected some of ${[...known].join(":")}`);
  }
  return new Set(names);
}

function oneOf<T extends string>(name: string, value: string, values: readonly T[]): T {
  const found = values.find((each) => each === value);
  return found ?? fail(`${name} must be one of ${values.join(", ")}, got "${value}"`);
}

function fail(why: string): never {
  throw new TypeError(`Cannot make a TLS context: ${why}`);
}
