import { toUnicode } from "./unicode.ts";

/**
 * Encodes a value as JSON that may stand inside a `<script>` element: `</` goes out as `<\/`.
 *
 * @throws {TypeError} if JSON has no form for the value.
 */
export function jsonEncode(value: unknown): string {
  const json: string | undefined = JSON.stringify(value);
  if (json === undefined) {
    throw new TypeError(
      `Cannot encode JSON: it has no form for ${typeof value}`,
    );
  }
  return json.replaceAll("</", "<\\/");
}

/**
 * Decodes JSON from text or UTF-8.
 *
 * @throws {SyntaxError} if it is not JSON.
 * @throws {TypeError} if the bytes are not UTF-8.
 */
export function jsonDecode(data: string | Uint8Array): unknown {
  return JSON.parse(toUnicode(data));
}
