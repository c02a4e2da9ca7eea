/**
 * Fetches URLs and prints what came: `deno run --allow-net http/cli.ts URL...`, with
 * `--print-headers`, `--no-print-body`, `--no-follow-redirects`, `--no-validate-cert`,
 * `--proxy-host=HOST` and `--proxy-port=PORT`.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { fetchOnce } from "./client.ts";
import { HTTPClientError, type HTTPResponse } from "./client_response.ts";

const OPTIONS = {
  "print-headers": { type: "boolean", default: false },
  "print-body": { type: "boolean", default: true },
  "follow-redirects": { type: "boolean", default: true },
  "validate-cert": { type: "boolean", default: true },
  "proxy-host": { type: "string" },
  "proxy-port": { type: "string" },
} as const;

/**
 * Fetches what the arguments say and writes it out. Returns the exit code: 1 when a fetch
 * failed, 2 when the arguments are wrong.
 */
export async function main(args: string[] = Deno.args): Promise<number> {
  let parsed;
  try {
    parsed = parseArgs({ args, options: OPTIONS, allowPositionals: true, allowNegative: true });
  } catch (error) {
    await print(Deno.stderr, `${(error as Error).message}\n`);
    return 2;
  }
  const { values, positionals } = parsed;
  const port = values["proxy-port"];
  let exitCode = 0;
  for (const url of positionals) {
    try {
      const response = await fetchOnce(url, {
        raiseError: false,
        followRedirects: values["follow-redirects"],
        validateCert: values["validate-cert"],
        proxyHost: values["proxy-host"],
        proxyPort: port === undefined ? undefined : Number(port),
      });
      await show(response, values["print-headers"], values["print-body"]);
    } catch (error) {
      if (!isFailedFetch(error)) throw error;
      await print(Deno.stderr, `${error.message}\n`);
      exitCode = 1;
    }
  }
  return exitCode;
}

function isFailedFetch(error: unknown): error is Error {
  return error instanceof HTTPClientError || error instanceof TypeError ||
    error instanceof Deno.errors.InvalidData; // of a TLS handshake
}

async function show(
  { headers, body }: HTTPResponse,
  printHeaders: boolean,
  printBody: boolean,
): Promise<void> {
  if (printHeaders) await print(Deno.stdout, `${headers}\n`);
  if (printBody) await print(Deno.stdout, body);
}

async function print(
  to: { write(bytes: Uint8Array): Promise<number> },
  what: string | Uint8Array,
): Promise<void> {
  const bytes = typeof what === "string" ? new TextEncoder().encode(what) : what;
  for (let at = 0; at < bytes.length;) at += await to.write(bytes.subarray(at));
}

if (import.meta.main) Deno.exit(await main());
