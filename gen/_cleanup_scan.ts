// What the source of a generator function says about its `finally` blocks. Used when a
// coroutine was cancelled and its generator yields once more: is that clean-up in a
// `finally`, or did a `catch` swallow the error?

interface Scan {
  readonly delegates: boolean; // `yield*` stands somewhere in it
  readonly yieldsInFinally: boolean;
}

const MAYBE: Scan = { delegates: true, yieldsInFinally: true };
const GeneratorFunction = Object.getPrototypeOf(function* () {}).constructor;
const scans = new WeakMap<object, Scan>();

// Strings, comments and regular expressions, which may hold anything; then what counts.
const TOKEN_REGEXP = new RegExp(
  [
    /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/, // text
    /\/\/.*|\/\*[^]*?\*\//, // comment
    /(?<=(?:[=(,:;!&|?{}[+*%~^<>-]|\breturn|\btypeof|\byield)\s*)\/(?![*/])(?:[^\\/[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\//, // RegExp
    /(?<token>`|\$\{|[{}]|\\.|\bfinally\b|\byield\b\s*\*?)/,
  ].map(({ source }) => source).join("|"),
  "g",
);

/**
 * Tells whether a yield that `fn`'s generator makes can stand in a `finally`. `own` says that
 * the yield is one of `fn` itself, not of a generator that it delegates to. Where the source is
 * not to be seen, the answer is yes.
 */
export function mayCleanUp(fn: unknown, own: boolean): boolean {
  const { delegates, yieldsInFinally } = scanOf(fn);
  return yieldsInFinally || delegates && !own;
}

function scanOf(fn: unknown): Scan {
  if (!(fn instanceof GeneratorFunction)) return MAYBE; // it may return any generator
  let found = scans.get(fn as object);
  if (found === undefined) {
    found = scan(Function.prototype.toString.call(fn));
    scans.set(fn as object, found);
  }
  return found;
}

function scan(source: string): Scan {
  const open: ("`" | "${" | "{" | "finally")[] = []; // what encloses the place
  let finallyAhead = false; // the next brace is its block
  let delegates = false;
  let yieldsInFinally = false;
  for (const { groups } of source.matchAll(TOKEN_REGEXP)) {
    const token = groups?.["token"];
    if (token === undefined) continue;
    const inText = open.at(-1) === "`";
    if (token === "`") {
      if (inText) open.pop();
      else open.push("`");
    } else if (token === "${" && inText) open.push("${");
    else if (inText || token.startsWith("\\")) continue;
    else if (token === "{" || token === "${") {
      open.push(finallyAhead ? "finally" : "{");
      finallyAhead = false;
    } else if (token === "}") open.pop();
    else if (token === "finally") finallyAhead = true;
    else {
      delegates ||= token.endsWith("*");
      yieldsInFinally ||= open.includes("finally");
    }
  }
  return open.length === 0 ? { delegates, yieldsInFinally } : MAYBE; // it was misread
}
