/**
 * The protocol: what the lines mean, apart from any socket. A request is a line of words, an
 * answer is `OK`, perhaps with a value, or `ERR` with a reason:
 *
 *     ADD 1 2 3      OK 6
 *     MUL 2 0.5      OK 1
 *     ADD 1 x        ERR "x" is not a number
 *     QUIT           OK
 *
 * @module
 */

/** The longest line, its end included; both sides hold it. */
export const MAX_LINE = 1024;

/** Says what the server objected to. */
export class RefusedError extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = "RefusedError";
  }
}

/** Is what a line of the client asks for. */
export type Request =
  | { readonly command: "ADD" | "MUL"; readonly numbers: readonly number[] }
  | { readonly command: "QUIT" };

/** Parses a line without its end; throws {@linkcode RefusedError} for what is no request. */
export function parseRequest(line: string): Request {
  const [command, ...words] = line.split(" ");
  if (command === "QUIT" && words.length === 0) return { command };
  if (command !== "ADD" && command !== "MUL") {
    throw new RefusedError(`${quote(command)} is no command`);
  }
  const numbers = words.map((word) => {
    const number = Number(word);
    if (word === "" || !Number.isFinite(number)) {
      throw new RefusedError(`${quote(word)} is not a number`);
    }
    return number;
  });
  return { command, numbers };
}

// The answer must not be longer than a line may be.
function quote(word: string | undefined): string {
  return `"${word!.length > 20 ? `${word!.slice(0, 20)}...` : word}"`;
}

/** Writes a request as a line. */
export function formatRequest(request: Request): string {
  const words = request.command === "QUIT" ? [] : request.numbers;
  return [request.command, ...words].join(" ") + "\n";
}

/** Does what a request asks for. */
export function compute({ command, numbers }: Exclude<Request, { command: "QUIT" }>): number {
  return command === "ADD"
    ? numbers.reduce((sum, number) => sum + number, 0)
    : numbers.reduce((product, number) => product * number, 1);
}

/** Parses an answer; throws {@linkcode RefusedError} when it is one. */
export function parseAnswer(line: string): string {
  if (line === "OK") return "";
  if (line.startsWith("OK ")) return line.slice(3);
  if (line.startsWith("ERR ")) throw new RefusedError(line.slice(4));
  throw new SyntaxError(`Cannot parse the answer "${line}"`);
}
