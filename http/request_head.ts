/**
 * The head of one request, as {@linkcode RequestParser} read it.
 *
 * A client that repeats a head byte for byte may be given the same object again.
 */
export class RequestHead {
  /** Method as sent; a token in the client's case. */
  readonly method: string = "";
  /** Request-target as sent: visible ASCII. */
  readonly target: string = "";
  /** Target up to the first `?`, not decoded, without scheme and authority. */
  readonly path: string = "";
  /** What follows the first `?` of the target, or empty. */
  readonly query: string = "";
  /** 0 for HTTP/1.0; 1 for HTTP/1.1 and every later HTTP/1. */
  readonly minorVersion: 0 | 1 = 1;
  /** Authority of the target if it has one, else the Host field; `null` for HTTP/1.0 with neither. */
  readonly host: string | null = null;
  /** Announced length of the body, -1 when none was announced. */
  readonly contentLength: number = -1;
  /** Whether the body comes in chunks; then {@linkcode contentLength} is -1. */
  readonly chunked: boolean = false;
  /** Whether the client will use the connection for another request. */
  readonly keepAlive: boolean = true;
  /** Whether the client waits for `100 Continue` before it sends the body. */
  readonly expectContinue: boolean = false;
  /** Whether the client asks to change the protocol: an Upgrade field, listed in Connection. */
  readonly upgrade: boolean = false;
  /** Whether there is an If-None-Match field. */
  readonly conditional: boolean = false;
  /** The field lines as received, in latin-1, each with its CRLF: `Name: value\r\n...`. */
  readonly fields: string = "";

  /** Makes the head that stands for "none read yet"; {@linkcode RequestParser} makes the others. */
  constructor() {}
}
