// Field names in the one case they are stored and sent in, `Http-Header-Case`.

const TOKEN_REGEXP = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

// The names in use are few, those a peer can invent are not: when the memo is full it
// starts anew. Its keys are strings made here, never what was asked for: that may be a
// slice of a head, which keeps the whole head alive.
const MAX_MEMO_SIZE = 1_000;
const MAX_MEMO_NAME_LENGTH = 64;
const memo = new Map<string, string>();

/**
 * Gives the normal form of a field name: `etag` and `ETAG` become `Etag`.
 *
 * @returns `null` if `name` is not a token (RFC 9110 5.6.2), which no field name can be.
 */
export function normalizeFieldName(name: string): string | null {
  return memo.get(name) ?? learn(name);
}

function learn(name: string): string | null {
  if (!TOKEN_REGEXP.test(name)) return null;
  const lower = name.toLowerCase();
  const normal = lower.replace(/(?:^|-)[a-z]/g, (start) => start.toUpperCase());
  if (name.length <= MAX_MEMO_NAME_LENGTH) {
    if (memo.size >= MAX_MEMO_SIZE) memo.clear();
    memo.set(normal, normal).set(lower, normal);
  }
  return normal;
}
