import { ServedExample } from "./_served_example.ts";

/** Starts the upload example, which keeps files in `directory`. */
export function startUpload(directory: string): Promise<ServedExample> {
  return ServedExample.start("file_upload/main.ts", ["--directory", directory], {
    permissions: [
      "--allow-net",
      "--allow-env",
      "--allow-read",
      `--allow-write=${directory}`,
    ],
  });
}

/** The names of the files in it. */
export function filesIn(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
}
