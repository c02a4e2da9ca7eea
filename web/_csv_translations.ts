import { genLog } from "../ioloop/mod.ts";

/** Translations of a CSV file, by what its third column says. */
export type CSVTranslations = Readonly<
  Record<"unknown" | "singular" | "plural", ReadonlyMap<string, string>>
>;

/** Returns the translations in a file; a row that is wrong is logged. */
export async function readTranslations(path: string, encoding?: string): Promise<CSVTranslations> {
  const { parse } = await import("csv-parse/sync"); // needed by few programs, and large
  const bytes = await Deno.readFile(path);
  const found = { unknown: new Map(), singular: new Map(), plural: new Map() };
  let rows: { record: string[]; info: { lines: number } }[];
  try {
    const text = new TextDecoder(encoding ?? encodingOf(bytes), { fatal: true }).decode(bytes);
    rows = parse(text, {
      info: true,
      relax_column_count: true,
      relax_quotes: true,
      trim: true,
    }) as unknown as typeof rows;
  } catch (cause) {
    throw new TypeError(`Cannot load ${path}: ${(cause as Error).message}`, { cause });
  }
  for (const { record, info } of rows) {
    if (record.length < 2) continue;
    const [message, translation, column = ""] = record.map((cell) => cell.trim());
    const kind = column || "unknown";
    if (Object.hasOwn(found, kind)) {
      found[kind as keyof CSVTranslations].set(message!, translation!);
    } else {
      genLog.error("Unrecognized plural indicator {kind} in {path} line {line}", {
        kind,
        path,
        line: info.lines,
      });
    }
  }
  return found;
}

function encodingOf([first, second]: Uint8Array): string {
  if (first === 0xff && second === 0xfe) return "utf-16le";
  return first === 0xfe && second === 0xff ? "utf-16be" : "utf-8";
}
