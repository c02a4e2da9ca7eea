// The stack of an error that passed through coroutines. Two things are wrong with what V8
// gives: between the frames of user code stand those of the runner; and a coroutine that
// waited is resumed by the loop, so whoever waits for it is not on the stack at all.
//
// An error that leaves a coroutine gets a `stack` of its own, made when somebody reads it
// (V8 formats stacks lazily too, and that is the dear part). To it belong the call sites
// that the error passed on its way up: where `yield*` gives it to the caller, the frames
// of the caller are on the stack, and are noted.
const FOLDER = new URL("..", import.meta.url).href;
const INNER_REGEXP = new RegExp(`${RegExp.escape(FOLDER)}(?:ioloop|gen)/`);
const RESUMPTION_REGEXP = /^\s+at .*\.(?:next|throw|return) \(<anonymous>\)$/;
const FRAME_REGEXP = /^\s+at /;
const COLUMN_REGEXP = /:\d+\)?$/;
const MAX_SITES = 50; // of an error that is thrown on and on, by a recursion for one

interface CallSite {
  readonly stack?: string;
}

interface Trace {
  readonly sites: CallSite[];
  text: string | null; // once somebody read it
}

const traces = new WeakMap<Error, Trace>();

/**
 * Takes the insides of the runner out of `error.stack`. Does nothing where that is not V8's
 * own, or cannot be changed.
 *
 * @ignore
 */
export function _tidyStack(error: unknown): void {
  if (error instanceof Error && !traces.has(error)) trace(error);
}

/**
 * Notes that `error` is about to be thrown at a `yield*`: whoever stands on the stack above
 * `below`, up to the runner, is a caller.
 *
 * @ignore
 */
export function _addCallSite(error: unknown, below: (...args: never[]) => unknown): void {
  if (!(error instanceof Error)) return;
  const { sites } = traces.get(error) ?? trace(error) ?? { sites: null };
  if (sites === null || sites.length >= MAX_SITES) return;
  const site: CallSite = {};
  Error.captureStackTrace(site, below);
  sites.push(site);
}

/**
 * Tells the nearest place outside of the loop and the runner that led here, or null.
 *
 * @ignore
 */
export function _callerPlace(): string | null {
  const line = lines(new Error().stack).find((line) => !isInner(line));
  return line?.trim() ?? null;
}

function trace(error: Error): Trace | null {
  const get = Object.getOwnPropertyDescriptor(error, "stack")?.get;
  if (get === undefined) return null; // somebody gave it another one
  const made: Trace = { sites: [], text: null };
  const replaced = Reflect.defineProperty(error, "stack", {
    configurable: true,
    enumerable: false,
    get: () => made.text ??= format(get.call(error), made.sites),
    set: (value) =>
      Object.defineProperty(error, "stack", {
        configurable: true,
        enumerable: false,
        writable: true,
        value,
      }),
  });
  if (!replaced) return null;
  traces.set(error, made);
  return made;
}

// The frames at the top are kept whatever they are: they say which operation failed.
function format(stack: unknown, sites: readonly CallSite[]): string {
  if (typeof stack !== "string") return stack as string; // made by a custom prepareStackTrace
  const own = lines(stack);
  if (own.length === 0) return stack; // somebody wrote it
  const head = stack.split("\n").slice(0, -own.length);
  const top = own.findIndex((line) => !isInner(line));
  const kept = own.filter((line, i) => i < top || !isInner(line));
  const known = new Set(kept.map(withoutColumn));
  const callers = sites.flatMap((site) => {
    const frames = lines(site.stack);
    const runner = frames.findIndex((line) => INNER_REGEXP.test(line));
    return frames.slice(0, runner < 0 ? undefined : runner).filter((line) => !isInner(line));
  });
  return [...head, ...kept, ...callers.filter((line) => !known.has(withoutColumn(line)))]
    .join("\n");
}

function lines(stack: unknown): string[] {
  if (typeof stack !== "string") return [];
  const all = stack.split("\n");
  let first = all.length;
  while (first > 0 && FRAME_REGEXP.test(all[first - 1]!)) first--;
  return all.slice(first);
}

function isInner(line: string): boolean {
  return INNER_REGEXP.test(line) || RESUMPTION_REGEXP.test(line);
}

// Where a call was made and where its `yield*` stands are two columns of one place.
function withoutColumn(line: string): string {
  return line.replace(COLUMN_REGEXP, "");
}
