// The program and `fetchOnce()`, both in a process or a loop of their own.
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { fetchOnce, HTTPClientError } from "../../http/mod.ts";
import { localhost } from "../iostream/_certificates.ts";
import { answer, answering, type Script } from "./_answering.ts";

const script: Script = ({ target }) =>
  target === "/moved"
    ? answer("moved", "Location: /\r\n", "302 Found")
    : target === "/no"
    ? answer("no\n", "", "404 Not Found")
    : answer("hello\n", "X-A: 1\r\n");

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(...args: string[]): Promise<Ran> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-net", "http/cli.ts", ...args],
    cwd: new URL("../../", import.meta.url),
  }).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

Deno.test("cli.ts prints bodies, and headers where it shall", () =>
  answering(script, async ({ url }) => {
    assertEquals((await run(url(), url("/no"))).out, "hello\nno\n");
    assertEquals(
      (await run("--print-headers", url())).out,
      "Content-Length: 6\nX-A: 1\n\nhello\n",
    );
    assertEquals(
      (await run("--print-headers", "--no-print-body", url())).out.includes("hello"),
      false,
    );
  }));

Deno.test("cli.ts follows redirects, and goes through a proxy", () =>
  answering(script, async ({ url, server }) => {
    assertEquals((await run(url("/moved"))).out, "hello\n");
    assertEquals((await run("--no-follow-redirects", url("/moved"))).out, "moved");
    const proxy = ["--proxy-host=127.0.0.1", `--proxy-port=${server.port}`];
    assertEquals((await run(...proxy, "http://name.example/")).out, "hello\n");
    assertEquals(server.asked.at(-1)!.target, "http://name.example/");
  }));

Deno.test("cli.ts refuses a certificate that it cannot verify, unless told not to look", () =>
  answering(script, async ({ server }) => {
    const url = `https://127.0.0.1:${server.port}/`;
    const { code, err } = await run(url);
    assertEquals(code, 1);
    assertStringIncludes(err, "Cannot set up TLS with 127.0.0.1: invalid peer certificate");
    assertEquals((await run("--no-validate-cert", url)).out, "hello\n");
  }, { sslOptions: localhost }));

Deno.test("cli.ts says what it cannot fetch, and what it does not know", async () => {
  const refused = await run("http://127.0.0.1:1/", "nonsense");
  assertEquals([refused.code, refused.out], [1, ""]);
  assertStringIncludes(refused.err, "HTTP 599: Cannot connect to 127.0.0.1:1");
  assertStringIncludes(refused.err, "it is no URL");
  const unknown = await run("--nonsense");
  assertEquals(unknown.code, 2);
  assertStringIncludes(unknown.err, "--nonsense");
});

Deno.test("fetchOnce() fetches in a loop of its own, and leaves nothing behind", () =>
  answering(script, async ({ url, server }) => {
    assertEquals((await fetchOnce(url("/moved"))).text(), "hello\n");
    const { code } = await fetchOnce(url("/no"), { raiseError: false });
    assertEquals(code, 404);
    await assertRejects(() => fetchOnce(url("/no")), HTTPClientError, "HTTP 404");
    assertEquals(server.asked[0]!.headers.get("Connection"), "close");
  }));
