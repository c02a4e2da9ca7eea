// The frame codec without a socket. Decoding unmasks in place, so each round
// finds what the last one left; the mask has no top bit, so ASCII stays ASCII.
import { Opcode } from "../websocket/frame.ts";
import { FrameDecoder } from "../websocket/frame_decoder.ts";
import { encodeFrame, frameHeaderSize, writeFrameHeader } from "../websocket/frame_encoder.ts";

const MASK = Uint8Array.of(0x1a, 0x2b, 0x3c, 0x4d);
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function payload(length: number): Uint8Array {
  return new Uint8Array(length).fill(0x61);
}

/** The obvious way: copy, XOR byte by byte. */
function unmaskedCopy(frame: Uint8Array, at: number): Uint8Array {
  const copy = frame.slice(at);
  for (let i = 0; i < copy.length; i++) copy[i]! ^= MASK[i & 3]!;
  return copy;
}

for (
  const [size, length] of [["32 B", 32], ["1 KiB", 1024], [
    "64 KiB",
    65536,
  ]] as const
) {
  for (
    const [kind, opcode] of [["text", Opcode.TEXT], [
      "binary",
      Opcode.BINARY,
    ]] as const
  ) {
    const group = `decode masked ${kind}, ${size}`;
    const frame = encodeFrame(opcode, payload(length), { mask: MASK });
    const at = frameHeaderSize(length, true);
    const decoder = new FrameDecoder({ masked: true });
    Deno.bench(`${group}: copy, byte loop`, { group, baseline: true }, () => {
      const copy = unmaskedCopy(frame, at);
      if (opcode === Opcode.TEXT) utf8.decode(copy);
    });
    Deno.bench(`${group}: FrameDecoder`, { group }, () => {
      decoder.next(frame, 0, frame.length);
    });
  }

  const group = `encode binary, ${size}`;
  const bytes = payload(length);
  const target = new Uint8Array(length + 14);
  Deno.bench(`${group}: copy`, { group, baseline: true }, () => {
    target.set(bytes, 14);
  });
  Deno.bench(`${group}: header and copy into a buffer`, { group }, () => {
    const at = writeFrameHeader(target, 0, Opcode.BINARY, length);
    target.set(bytes, at);
  });
  Deno.bench(`${group}: encodeFrame`, { group }, () => {
    encodeFrame(Opcode.BINARY, bytes);
  });
  Deno.bench(`${group}: encodeFrame, masked`, { group }, () => {
    encodeFrame(Opcode.BINARY, bytes, { mask: MASK });
  });
}

{
  const group = "decode 16 masked texts of 32 B in one buffer";
  const frame = encodeFrame(Opcode.TEXT, payload(32), { mask: MASK });
  const buffer = new Uint8Array(16 * frame.length);
  for (let i = 0; i < 16; i++) buffer.set(frame, i * frame.length);
  const decoder = new FrameDecoder({ masked: true });
  Deno.bench(`${group}: copies, byte loops`, { group, baseline: true }, () => {
    for (let at = 0; at < buffer.length; at += frame.length) {
      utf8.decode(unmaskedCopy(buffer.subarray(at, at + frame.length), 6));
    }
  });
  Deno.bench(`${group}: FrameDecoder`, { group }, () => {
    for (let at = 0; at < buffer.length;) {
      at = decoder.next(buffer, at, buffer.length);
    }
  });
}
