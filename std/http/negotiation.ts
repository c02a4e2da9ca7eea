/**
 * What a client accepts, in the order it prefers.
 *
 * @module
 */
// @ts-types="npm:@types/negotiator@^0.6.4"
import Negotiator from "negotiator";

type Headers = Pick<Request, "headers">;

/** Gives the media types that the request accepts. */
export function accepts(request: Headers): string[];
/** Gives the one of `types` that the request likes best, if it accepts any. */
export function accepts(
  request: Headers,
  ...types: string[]
): string | undefined;
export function accepts(
  request: Headers,
  ...types: string[]
): string[] | string | undefined {
  const accept = request.headers.get("accept");
  if (!accept) return types.length > 0 ? types[0] : ["*/*"];
  const negotiator = new Negotiator({ headers: { accept } });
  return types.length > 0 ? negotiator.mediaType(types) : negotiator.mediaTypes();
}

/** Gives the content encodings that the request accepts. */
export function acceptsEncodings(request: Headers): string[];
/** Gives the one of `encodings` that the request likes best, if it accepts any. */
export function acceptsEncodings(
  request: Headers,
  ...encodings: string[]
): string | undefined;
export function acceptsEncodings(
  request: Headers,
  ...encodings: string[]
): string[] | string | undefined {
  const accept = request.headers.get("accept-encoding");
  if (!accept) return encodings.length > 0 ? encodings[0] : ["*"];
  const negotiator = new Negotiator({ headers: { "accept-encoding": accept } });
  return encodings.length > 0 ? negotiator.encoding(encodings) : negotiator.encodings();
}

/** Gives the languages that the request accepts. */
export function acceptsLanguages(request: Headers): string[];
/** Gives the one of `langs` that the request likes best, if it accepts any. */
export function acceptsLanguages(
  request: Headers,
  ...langs: string[]
): string | undefined;
export function acceptsLanguages(
  request: Headers,
  ...langs: string[]
): string[] | string | undefined {
  const accept = request.headers.get("accept-language");
  if (!accept) return langs.length > 0 ? langs[0] : ["*"];
  const negotiator = new Negotiator({ headers: { "accept-language": accept } });
  return langs.length > 0 ? negotiator.language(langs) : negotiator.languages();
}
