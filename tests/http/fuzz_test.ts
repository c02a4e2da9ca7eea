import { fuzzParsers, fuzzServer } from "./fuzz.ts";
import { MANNERS } from "./_wire.ts";

// A longer run takes both from the environment.
const SEED = Number(Deno.env.get("FUZZ_SEED") ?? 1);
const ROUNDS = Number(Deno.env.get("FUZZ_ROUNDS") ?? 4000);

Deno.test("RequestParser and ChunkedDecoder read or refuse damaged requests, cut anywhere", () =>
  fuzzParsers(ROUNDS * 5, SEED));

for (const manner of MANNERS) {
  Deno.test(`HTTPServer answers or refuses damaged requests, ${manner}, and serves others`, () =>
    fuzzServer(manner, ROUNDS / 4, SEED));
}
