function show(key: unknown): string {
  return Deno.inspect(key, { depth: 1, breakLength: Infinity });
}

/** Says that a key was registered again before its first result was waited for. */
export class KeyReuseError extends Error {
  /** The key. */
  readonly key: unknown;

  /** Takes the key. */
  constructor(key: unknown) {
    super(
      `Cannot register the key ${show(key)}: it is pending; Wait for it first`,
    );
    this.name = "KeyReuseError";
    this.key = key;
  }
}

/** Says that a coroutine waits for a key that nobody registered. */
export class UnknownKeyError extends Error {
  /** The key. */
  readonly key: unknown;

  /** Takes the key. */
  constructor(key: unknown) {
    super(
      `Cannot wait for the key ${show(key)}: it is not pending; yield Callback(key) first`,
    );
    this.name = "UnknownKeyError";
    this.key = key;
  }
}

/** Says that a coroutine ended although keys it registered were never waited for. */
export class LeakedCallbackError extends Error {
  /** The keys that were left. */
  readonly keys: readonly unknown[];

  /** Takes the keys that were left. */
  constructor(keys: readonly unknown[]) {
    super(`Cannot end the coroutine: no Wait for ${keys.map(show).join(", ")}`);
    this.name = "LeakedCallbackError";
    this.keys = keys;
  }
}

/** Says that a function whose result nobody gets returned one. */
export class ReturnValueIgnoredError extends Error {
  /** Takes the value that would be lost. */
  constructor(value: unknown) {
    super(
      `Cannot return ${show(value)} from an engine function: nobody would get it`,
    );
    this.name = "ReturnValueIgnoredError";
  }
}
