// What the source of a generator function says about its `finally` blocks. Used when a
// coroutine was cancelled and its generator yields once more: is that clean-up in a
// `finally`, or did a `catch` swallow the error?
//
// The source is read token by token, in one of two modes: code, or the text of a template.
// What is open at a place is a stack. Yields of a generator function inside of this one are
// its own business. Source that turns out to be misread, because brackets are left over,
// counts as unknown.

interface Scan {
  readonly delegates: boolean; // `yield*` stands somewhere in it
  readonly yieldsInFinally: boolean;
}

const MAYBE: Scan = { delegates: true, yieldsInFinally: true };
const GeneratorFunction = Object.getPrototypeOf(function* () {}).constructor;
const scans = new WeakMap<object, Scan>();

const CODE_REGEXP = new RegExp(
  [
    /(?<blank>\s+|\/\/.*|\/\*[^]*?\*\/)/,
    /(?<value>"(?:[^"\\]|\\[^])*"|'(?:[^'\\]|\\[^])*'|\+\+|--|\])/, // a RegExp can't follow
    /(?<word>(?:[\w$#\u0080-\uffff]|\\u)+)/,
    /(?<mark>[^])/,
  ].map(({ source }) => source).join("|"),
  "y",
);
const TEXT_REGEXP = /(?:[^`\\$]|\\[^]|\$(?!\{))*(?<mark>`|\$\{)/y;
const LITERAL_REGEXP = /\/(?:[^\\/[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/\w*/y;
const BEFORE_LITERAL_REGEXP =
  /^(?:return|typeof|case|do|else|in|instanceof|of|new|void|delete|throw|yield|await)$/;
const CONTROL_REGEXP = /^(?:if|while|for|with)$/;
const BEFORE_METHOD_REGEXP = /^(?:|[{},;]|async|static|function)$/; // of the `*` of a generator

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
  const open: ("(" | "control" | "{" | "finally" | "generator" | "`" | "${")[] = [];
  const bodies: number[] = []; // how much is open where the body of a generator will begin
  let generators = 0; // whose bodies are open
  let begun = false;
  const isOwn = () => generators === 1 && open[0] === "generator"; // not in a default value
  let before = ""; // the token before this one
  let valueBefore = false; // it ends a value: a `/` behind it divides
  let delegates = false;
  let yieldsInFinally = false;
  for (let at = 0; at < source.length;) {
    const regexp = open.at(-1) === "`" ? TEXT_REGEXP : CODE_REGEXP;
    regexp.lastIndex = at;
    const groups = regexp.exec(source)?.groups;
    if (groups === undefined) return MAYBE; // a template that does not end
    const { blank, value, word, mark } = groups;
    at = regexp.lastIndex;
    if (blank !== undefined) continue;
    const token = value ?? word ?? mark!;
    let isValue = value !== undefined;
    if (word !== undefined && before !== ".") {
      isValue = !BEFORE_LITERAL_REGEXP.test(word);
      if (word === "yield" && isOwn()) yieldsInFinally ||= open.includes("finally");
    } else if (word !== undefined) isValue = true;
    else if (token === "/" && !valueBefore) {
      LITERAL_REGEXP.lastIndex = at - 1;
      if (!LITERAL_REGEXP.test(source)) return MAYBE;
      at = LITERAL_REGEXP.lastIndex;
      isValue = true;
    } else if (token === "*") {
      if (before === "yield") delegates ||= isOwn();
      else if (BEFORE_METHOD_REGEXP.test(before)) bodies.push(open.length);
    } else if (token === "(") open.push(CONTROL_REGEXP.test(before) ? "control" : "(");
    else if (token === ")") isValue = open.pop() === "(";
    else if (token === "`") {
      isValue = open.at(-1) === "`";
      if (isValue) open.pop();
      else open.push("`");
    } else if (token === "${") open.push("${");
    else if (token === "{") {
      const isBody = bodies.at(-1) === open.length;
      if (isBody) {
        bodies.pop();
        generators++;
        begun = true;
      }
      open.push(isBody ? "generator" : before === "finally" ? "finally" : "{");
    } else if (token === "}" && open.pop() === "generator") generators--;
    before = before === "." && word !== undefined ? "" : token; // not a keyword
    valueBefore = isValue;
  }
  return begun && open.length === 0 ? { delegates, yieldsInFinally } : MAYBE; // it was misread
}
