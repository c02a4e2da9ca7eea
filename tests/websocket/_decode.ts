import { WebSocketError } from "../../websocket/errors.ts";
import {
  FrameDecoder,
  type FrameDecoderOptions,
  FrameEvent,
} from "../../websocket/frame_decoder.ts";

/** One event in a form that is easy to compare; a failure is the last one. */
export type Seen =
  | ["text", string]
  | ["binary" | "ping" | "pong" | "compressed", number[]]
  | ["close", number | null, string]
  | ["fail", number];

/** Joins byte runs and lists of bytes. */
export function join(...parts: (Uint8Array | number[])[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/**
 * Reads `input` as the owner of a socket would: it comes in pieces that end at
 * `cuts`, and what the decoder does not consume is shown again. Each piece comes
 * in a buffer of its own that is wiped afterwards, so that nothing that was
 * delivered can have been a view.
 */
export function decode(
  input: Uint8Array,
  cuts: readonly number[],
  options: FrameDecoderOptions,
): Seen[] {
  const decoder = new FrameDecoder(options);
  const taken: (() => Seen)[] = [];
  const finish = () => taken.map((make) => make());
  let rest: Uint8Array = new Uint8Array(0);
  let from = 0;
  for (const cut of [...cuts, input.length]) {
    const buffer = join(rest, input.subarray(from, cut));
    from = cut;
    let at = 0;
    try {
      do {
        at = decoder.next(buffer, at, buffer.length);
        take(decoder, taken);
      } while (decoder.event !== FrameEvent.NONE);
    } catch (error) {
      if (!(error instanceof WebSocketError)) throw error;
      const { code } = error;
      taken.push(() => ["fail", code]);
      return finish();
    }
    rest = buffer.slice(at);
    buffer.fill(0xee);
  }
  return finish();
}

function take(decoder: FrameDecoder, taken: (() => Seen)[]): void {
  const { event, text, data, closeCode, closeReason, compressed } = decoder;
  switch (event) {
    case FrameEvent.TEXT:
    case FrameEvent.BINARY:
      if (compressed) taken.push(() => ["compressed", [...data]]);
      else if (event === FrameEvent.TEXT) taken.push(() => ["text", text]);
      else taken.push(() => ["binary", [...data]]);
      break;
    case FrameEvent.PING:
      taken.push(() => ["ping", [...data]]);
      break;
    case FrameEvent.PONG:
      taken.push(() => ["pong", [...data]]);
      break;
    case FrameEvent.CLOSE:
      taken.push(() => ["close", closeCode, closeReason]);
      break;
    case FrameEvent.NONE:
  }
}

/** Whole, byte by byte, and cut in two at each place. */
export function everyCut(length: number): number[][] {
  const places = Array.from(
    { length: Math.max(length - 1, 0) },
    (_, i) => i + 1,
  );
  return [[], places, ...places.map((at) => [at])];
}
