import { Authority } from "../tests/iostream/_certificates.ts";

/** The sizes of the files that are served, by name. */
export const FILE_SIZES: Readonly<Record<string, number>> = {
  "small.bin": 1024,
  "large.bin": 1024 * 1024,
};

/** A folder with what servers need: files that they serve, and a certificate with its key. */
export class ServerFiles implements AsyncDisposable {
  readonly folder: string;
  /** The file of the authority that signed the certificate. */
  readonly ca: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.ca = `${folder}/ca.pem`;
  }

  static async create(): Promise<ServerFiles> {
    const files = new ServerFiles(await Deno.makeTempDir({ prefix: "waterspout-bench-" }));
    const authority = await Authority.create("Authority of the benchmarks");
    const { cert, key } = await authority.sign("127.0.0.1", { names: ["127.0.0.1"] });
    await Deno.writeTextFile(files.ca, authority.cert);
    await Deno.writeTextFile(`${files.folder}/cert.pem`, cert);
    await Deno.writeTextFile(`${files.folder}/key.pem`, key);
    for (const [name, size] of Object.entries(FILE_SIZES)) {
      await Deno.writeTextFile(`${files.folder}/${name}`, "f".repeat(size));
    }
    return files;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}
