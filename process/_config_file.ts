// A module is run, and its exports are the values. JSON is data; in `.jsonc` it may have comments,
// and commas before a closing bracket.
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { ParseError } from "jsonc-parser";
import { OptionsError } from "./options_error.ts";

/** Returns the values that a file holds, by name. */
export async function readConfigFile(path: string | URL): Promise<Record<string, unknown>> {
  const file = resolve(typeof path === "string" ? path : fileURLToPath(path));
  const load = /\.jsonc?$/i.test(file) ? readJson : importModule;
  await Deno.stat(file); // one that is not there is not broken
  let config: unknown;
  try {
    config = await load(file);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new OptionsError(`Cannot read config file ${file}: ${why}`, { cause: error });
  }
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw new OptionsError(`Cannot read config file ${file}: expected an object`);
  }
  return config as Record<string, unknown>;
}

// JSON.parse() does not always tell where it failed.
async function readJson(file: string): Promise<unknown> {
  const { parse, printParseErrorCode } = await import("jsonc-parser"); // few programs need it
  const text = await Deno.readTextFile(file);
  const errors: ParseError[] = [];
  const relaxed = /c$/i.test(file);
  const config = parse(text, errors, { disallowComments: !relaxed, allowTrailingComma: relaxed });
  const [first] = errors;
  if (first === undefined) return config;
  const before = text.slice(0, first.offset).split("\n");
  const place = `line ${before.length} column ${before.at(-1)!.length + 1}`;
  throw new SyntaxError(`${printParseErrorCode(first.error)} at ${place}`);
}

function importModule(file: string): Promise<unknown> {
  return import(pathToFileURL(file).href);
}
