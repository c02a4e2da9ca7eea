/** Ways to cut an input: whole, byte by byte, in two at each place. */
export function* cutsOf(length: number): Generator<number[], void, unknown> {
  const places = Array.from(
    { length: Math.max(0, length - 1) },
    (_, at) => at + 1,
  );
  yield [length];
  yield [...places, length];
  for (const at of places) yield [at, length];
}

/** Text to bytes, one for each character up to U+00FF. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}
