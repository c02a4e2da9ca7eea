import { assertEquals } from "@std/assert";
import { createSignedValue, decodeSignedValue, RequestHandler } from "../../web/mod.ts";
import { ask } from "../http/_raw_client.ts";
import { serve } from "./_serve.ts";

const PYTHON = "/usr/bin/python3"; // Debian's, which has its packages

async function hasTornado(): Promise<boolean> {
  try {
    const args = ["-c", "import tornado"];
    const { success } = await new Deno.Command(PYTHON, { args, stderr: "null" }).output();
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

const ignore = !await hasTornado();

/** Runs `body` with the port of a Tornado server. */
async function withTornado(body: (port: number) => Promise<void>): Promise<void> {
  const script = new URL("_tornado.py", import.meta.url).pathname;
  await using child = new Deno.Command(PYTHON, {
    args: [script],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  try {
    await body(Number(new TextDecoder().decode(value)));
  } finally {
    child.kill("SIGKILL");
    while (!(await reader.read()).done);
  }
}

const SECRETS = { plain: "a secret", keys: { 0: "first", 1: "second" } };
const KINDS = [["plain", 1], ["plain", 2], ["keys", 2]] as const;
const VALUES = ["", "value", 'é|: ;"\\', "x".repeat(5000)];

Deno.test({
  name: "Signed values of Tornado are read here, and ours there",
  ignore,
  fn: () =>
    withTornado(async (port) => {
      const tornado = async (path: string, query: Record<string, string>) =>
        (await ask(port, "GET", `${path}?${new URLSearchParams(query)}`)).text;
      for (const [kind, version] of KINDS) {
        for (const value of VALUES) {
          const query = { secret: kind, version: String(version), name: "name", value };
          const theirs = await tornado("/sign", query);
          const read = decodeSignedValue(SECRETS[kind], "name", theirs);
          assertEquals(read && new TextDecoder().decode(read), value);

          const keyVersion = kind === "keys" ? 1 : undefined;
          const signed = createSignedValue(SECRETS[kind], "name", value, { version, keyVersion });
          assertEquals(
            JSON.parse(await tornado("/verify", { secret: kind, name: "name", signed })),
            value,
          );
          const other = { secret: kind, name: "other", signed };
          assertEquals(JSON.parse(await tornado("/verify", other)), null);
        }
      }
    }),
});

class Form extends RequestHandler {
  override get(): void {
    this.write(this.xsrfToken);
  }
  override post(): void {
    this.write("posted");
  }
}

Deno.test({
  name: "XSRF tokens of Tornado are taken here, and ours there",
  ignore,
  fn: () =>
    withTornado(async (theirs) => {
      await serve([["/", Form]], async ({ port: ours }) => {
        for (const issuer of [ours, theirs]) {
          const { text: token, headers } = await ask(issuer, "GET", "/");
          const [field = ""] = headers.getList("Set-Cookie");
          const Cookie = field.slice(0, field.indexOf(";"));
          for (const port of [ours, theirs]) {
            const post = async (token: string) =>
              (await ask(port, "POST", "/", { headers: { Cookie, "X-Xsrftoken": token } })).status;
            assertEquals(await post(token), 200);
            // The cookie as it is, and a token that was masked elsewhere.
            assertEquals(await post(/=(?:")?([^"]+)/.exec(Cookie)![1]!), 200);
            const { text: again } = await ask(port, "GET", "/", { headers: { Cookie } });
            for (const other of [ours, theirs]) {
              const fields = { Cookie, "X-Xsrftoken": again };
              assertEquals((await ask(other, "POST", "/", { headers: fields })).status, 200);
            }
          }
        }
      }, { xsrfCookies: true });
    }),
});
