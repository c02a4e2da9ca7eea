import { assertEquals, assertThrows } from "@std/assert";
import {
  acceptDeflate,
  type CompressionOptions,
  type DeflateAgreement,
  offerDeflate,
  parseExtensions,
  readDeflateAnswer,
} from "../../websocket/mod.ts";

/** Says what was agreed on in short: bits and takeover of what is sent, then of what comes. */
function shown(agreement: DeflateAgreement | null | undefined): string | null {
  if (agreement === null || agreement === undefined) return null;
  return [agreement.outgoing, agreement.incoming]
    .map(({ windowBits, contextTakeover }) => `${windowBits}${contextTakeover ? "" : " alone"}`)
    .join(", ");
}

Deno.test("parseExtensions() reads names, parameters and quoted values", () => {
  const read = (header: string | null) =>
    parseExtensions(header)?.map(({ name, parameters }) => [name, ...parameters]) ?? null;
  assertEquals(read(null), []);
  assertEquals(read(""), []);
  assertEquals(read("a"), [["a"]]);
  assertEquals(read('a;x ; y = 7;z="ok"\t,, b'), [["a", ["x", true], ["y", "7"], ["z", "ok"]], [
    "b",
  ]]);
  for (const bad of ["a;", "a; =1", 'a; x="', 'a; x="no token"', "a b", "a; x; x", "a; x=1; x=2"]) {
    assertEquals(read(bad), null, bad);
  }
});

/** An offer, what the server wants, its answer, and what it goes by. */
const OFFERS: readonly [string | null, CompressionOptions, string | null, string | null][] = [
  [null, {}, null, null],
  ["permessage-deflate", {}, "permessage-deflate", "15, 15"],
  ["PerMessage-Deflate", {}, "permessage-deflate", "15, 15"],
  ["permessage-deflate; client_max_window_bits", {}, "permessage-deflate", "15, 15"],
  [
    "permessage-deflate; client_max_window_bits=12",
    {},
    "permessage-deflate; client_max_window_bits=12",
    "15, 12",
  ],
  [
    "permessage-deflate; server_max_window_bits=10",
    {},
    "permessage-deflate; server_max_window_bits=10",
    "10, 15",
  ],
  [
    "permessage-deflate; server_max_window_bits=15",
    {},
    "permessage-deflate; server_max_window_bits=15",
    "15, 15",
  ],
  [
    "permessage-deflate; server_max_window_bits=8; client_max_window_bits=8",
    {},
    "permessage-deflate; server_max_window_bits=8; client_max_window_bits=8",
    "8, 8",
  ],
  [
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    {},
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    "15 alone, 15 alone",
  ],
  // The server asks for less than was offered.
  [
    "permessage-deflate; client_max_window_bits",
    { maxWindowBits: 9, peerMaxWindowBits: 10, noContextTakeover: true },
    "permessage-deflate; server_no_context_takeover; server_max_window_bits=9; " +
    "client_max_window_bits=10",
    "9 alone, 10",
  ],
  [
    "permessage-deflate",
    { peerNoContextTakeover: true },
    "permessage-deflate; client_no_context_takeover",
    "15, 15 alone",
  ],
  // A client that does not name its window cannot be told.
  ["permessage-deflate", { peerMaxWindowBits: 9 }, "permessage-deflate", "15, 15"],
  // Of several offers the first that will do.
  ["other, permessage-deflate", {}, "permessage-deflate", "15, 15"],
  [
    "permessage-deflate; x=1, permessage-deflate; server_max_window_bits=9, permessage-deflate",
    {},
    "permessage-deflate; server_max_window_bits=9",
    "9, 15",
  ],
  // Declined.
  ["x-webkit-deflate-frame", {}, null, null],
  ...[
    "unknown",
    "server_max_window_bits",
    "server_max_window_bits=7",
    "server_max_window_bits=16",
    "server_max_window_bits=08",
    "server_max_window_bits=1e1",
    "client_max_window_bits=16",
    "client_max_window_bits=7",
    "server_no_context_takeover=1",
    "client_no_context_takeover=true",
    "client_no_context_takeover; client_no_context_takeover",
  ].map((parameter): [string, CompressionOptions, null, null] => [
    `permessage-deflate; ${parameter}`,
    {},
    null,
    null,
  ]),
];

Deno.test("acceptDeflate() takes the first offer that keeps the rules", () => {
  for (const [header, options, response, agreement] of OFFERS) {
    const accepted = acceptDeflate(header, options);
    assertEquals(accepted?.response ?? null, response, String(header));
    assertEquals(shown(accepted?.agreement), agreement, String(header));
  }
});

Deno.test("offerDeflate() says what the client wants", () => {
  assertEquals(offerDeflate({}), "permessage-deflate; client_max_window_bits");
  assertEquals(
    offerDeflate({
      maxWindowBits: 10,
      peerMaxWindowBits: 9,
      noContextTakeover: true,
      peerNoContextTakeover: true,
    }),
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover; " +
      "server_max_window_bits=9; client_max_window_bits=10",
  );
});

Deno.test("readDeflateAnswer() takes what fits the offer", () => {
  const taken: [string | null, CompressionOptions | null, string | null][] = [
    [null, null, null],
    [null, {}, null],
    ["permessage-deflate", {}, "15, 15"],
    ["permessage-deflate; server_max_window_bits=9", {}, "15, 9"],
    ["permessage-deflate; client_max_window_bits=9", {}, "9, 15"],
    [
      "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
      {},
      "15 alone, 15 alone",
    ],
    ["permessage-deflate", { noContextTakeover: true, maxWindowBits: 11 }, "11 alone, 15"],
    ["permessage-deflate; server_max_window_bits=9", { peerMaxWindowBits: 10 }, "15, 9"],
    [
      "permessage-deflate; server_no_context_takeover",
      { peerNoContextTakeover: true },
      "15, 15 alone",
    ],
  ];
  for (const [header, options, agreement] of taken) {
    assertEquals(shown(readDeflateAnswer(header, options)), agreement, String(header));
  }
});

Deno.test("readDeflateAnswer() refuses what does not fit the offer", () => {
  const refused: [string, CompressionOptions | null, string][] = [
    ["permessage-deflate", null, "was not offered"],
    ["other", {}, "other was not offered"],
    ["permessage-deflate, other", {}, "other was not offered"],
    ["permessage-deflate, permessage-deflate", {}, "not offered"],
    ["permessage-deflate;", {}, "grammar"],
    ["permessage-deflate; unknown", {}, "parameters"],
    ["permessage-deflate; client_max_window_bits", {}, "client_max_window_bits"],
    ["permessage-deflate; client_max_window_bits=16", {}, "parameters"],
    ["permessage-deflate; client_max_window_bits=12", { maxWindowBits: 11 }, "at most 11"],
    ["permessage-deflate; server_max_window_bits=12", { peerMaxWindowBits: 11 }, "at most 11"],
    ["permessage-deflate", { peerMaxWindowBits: 11 }, "server_max_window_bits"],
    ["permessage-deflate", { peerNoContextTakeover: true }, "server_no_context_takeover"],
  ];
  for (const [header, options, message] of refused) {
    assertThrows(() => readDeflateAnswer(header, options), TypeError, message);
  }
});

Deno.test("what a client offers and a server answers fits, whatever both want", () => {
  const wishes: CompressionOptions[] = [8, 12, 15].flatMap((maxWindowBits) =>
    [9, 15].flatMap((peerMaxWindowBits) =>
      [false, true].flatMap((noContextTakeover) =>
        [false, true].map((peerNoContextTakeover) => ({
          maxWindowBits,
          peerMaxWindowBits,
          noContextTakeover,
          peerNoContextTakeover,
        }))
      )
    )
  );
  for (const client of wishes) {
    for (const server of wishes) {
      const accepted = acceptDeflate(offerDeflate(client), server)!;
      const answer = readDeflateAnswer(accepted.response, client)!;
      assertEquals(answer.incoming, accepted.agreement.outgoing);
      assertEquals(answer.outgoing, accepted.agreement.incoming);
    }
  }
});

Deno.test("acceptDeflate() and offerDeflate() refuse numbers out of range", () => {
  const wrong: [CompressionOptions, string][] = [
    [{ compressionLevel: 10 }, "compressionLevel"],
    [{ compressionLevel: -1 }, "compressionLevel"],
    [{ memLevel: 0 }, "memLevel"],
    [{ maxWindowBits: 7 }, "maxWindowBits"],
    [{ maxWindowBits: 9.5 }, "maxWindowBits"],
    [{ peerMaxWindowBits: 16 }, "peerMaxWindowBits"],
    [{ threshold: -1 }, "threshold"],
    [{ threshold: NaN }, "threshold"],
  ];
  for (const [options, name] of wrong) {
    assertThrows(() => acceptDeflate("permessage-deflate", options), RangeError, name);
    assertThrows(() => offerDeflate(options), RangeError, name);
  }
});
