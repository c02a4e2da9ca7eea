import { assertEquals, assertMatch } from "@std/assert";
import { answerChallenge, parseChallenge } from "../../http/digest_auth.ts";

// The example of RFC 7616 3.9.1.
const NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
const REST = `nonce="${NONCE}", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`;
const SHA =
  `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, ${REST}`;
const MD5 = `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5, ${REST}`;
const ASKED = { method: "GET", uri: "/dir/index.html", body: null };
const CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

function responseTo(value: string): string | undefined {
  const challenge = parseChallenge([value])!;
  const answer = answerChallenge(challenge, "Mufasa", "Circle of Life", ASKED, CNONCE);
  return / response="([0-9a-f]+)"/.exec(answer)?.[1];
}

Deno.test("answerChallenge() gives what RFC 7616 gives", () => {
  assertEquals(
    responseTo(SHA),
    "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
  );
  assertEquals(responseTo(MD5), "8ca523f5e9506fed4657c9700eebdbec");
});

Deno.test("answerChallenge() without qop gives what RFC 2069 gives", () => {
  const challenge = parseChallenge([
    'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"',
  ])!;
  const answer = answerChallenge(challenge, "Mufasa", "CircleOfLife", ASKED);
  assertMatch(answer, / response="1949323746fe6a43ef61f9606e7febea"/);
  assertEquals(answer.includes("qop"), false);
});

Deno.test("answerChallenge() quotes, and spells a name beyond ASCII in UTF-8", () => {
  const challenge = parseChallenge([String.raw`Digest realm="a \"b\"", nonce=n`])!;
  assertEquals(challenge.realm, 'a "b"');
  const answer = answerChallenge(challenge, "J\u00e4s\u00f8n", "x", ASKED);
  assertMatch(answer, /^Digest username\*=UTF-8''J%C3%A4s%C3%B8n, realm="a \\"b\\"", /);
});

Deno.test("parseChallenge() takes the best challenge that can be answered", () => {
  assertEquals(parseChallenge([`Basic realm="x", ${MD5}`, SHA])?.algorithm, "SHA-256");
  assertEquals(parseChallenge(["Negotiate, NTLM abcdef==, Digest realm=a,nonce=b"]), {
    realm: "a",
    nonce: "b",
    opaque: null,
    algorithm: "MD5",
    qop: null,
  });
  for (
    const value of [
      "",
      "Basic realm=x",
      "Digest realm=a",
      "Digest nonce=a",
      "Digest realm=a, nonce=b, algorithm=ROT13",
      "Digest realm=a, nonce=b, qop=other",
      "=,=,==",
      '"'.repeat(1000),
    ]
  ) {
    assertEquals(parseChallenge([value]), null, value);
  }
  assertEquals(parseChallenge([]), null);
});

Deno.test("parseChallenge() is linear in what came", () => {
  const began = performance.now();
  for (const each of [" ", "a", "a ", 'a="', "a=,", ",", "Digest ", '\\"', "a=b "]) {
    parseChallenge([`Digest ${each.repeat(100_000)}`]);
  }
  assertEquals(performance.now() - began < 3000, true);
});
