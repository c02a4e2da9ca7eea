import { assert, assertEquals } from "@std/assert";
import { genLog } from "../../ioloop/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import {
  FormUpload,
  type FormUploadOptions,
  RequestHandler,
  streamRequestBody,
} from "../../web/mod.ts";
import { RawClient, until } from "../http/_raw_client.ts";
import { serve, type Served } from "./_serve.ts";

async function withUpload(
  options: FormUploadOptions,
  test: (served: Served, directory: string, seen: { left: boolean }) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  const seen = { left: false };
  @streamRequestBody
  class Upload extends RequestHandler {
    readonly #form = new FormUpload(this, { directory, ...options });
    override dataReceived(chunk: Uint8Array): Promise<void> {
      return this.#form.push(chunk);
    }
    override async post(): Promise<void> {
      const { values, files } = this.#form.finish();
      const contents = await Promise.all(files.map(async (file) => {
        const body = file.body ?? await Deno.readFile(file.path!);
        assertEquals(body.length, file.size);
        const sum = body.reduce((sum, byte) => (sum * 31 + byte) % 65521, 7);
        return [file.name, file.filename, file.contentType, file.path !== null, file.size, sum];
      }));
      this.write({ values: { ...values }, files: contents });
    }
    override onConnectionClose(): void {
      seen.left = true;
    }
  }
  try {
    await serve([["/", Upload]], (served) => test(served, directory, seen));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const sizes = [0, 1, 999, 1000, 1001, 300_000];

function form(): FormData {
  const form = new FormData();
  form.append("title", "é");
  for (const size of sizes) {
    const content = Uint8Array.from({ length: size }, (_, i) => (i * 7 + size) % 256);
    form.append("file", new File([content], `${size}.bin`, { type: "application/x-test" }));
  }
  form.append("title", "second");
  return form;
}

const filesIn = (directory: string) => [...Deno.readDirSync(directory)].map(({ name }) => name);

Deno.test("FormUpload keeps small parts in memory and large files on disk, while the request lasts", async () => {
  await withUpload({ memoryLimit: 1000 }, async ({ port }, directory) => {
    const response = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: form() });
    const { values, files } = await response.json();
    assertEquals(values, { title: ["é", "second"] });
    assertEquals(
      files.map((file: unknown[]) => file.slice(0, 5)),
      sizes.map((size) => ["file", `${size}.bin`, "application/x-test", size > 1000, size]),
    );
    await until(() => filesIn(directory).length === 0);
  });
});

Deno.test("FormUpload without a directory keeps all in memory, up to maxMemory", async () => {
  const directory = undefined as unknown as string;
  for (const [maxMemory, status] of [[400_000, 200], [300_000, 413]] as const) {
    await withUpload({ directory, maxMemory }, async ({ port }) => {
      await expectLog(genLog, /more than 300000 bytes/, async () => {
        const response = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: form() });
        assertEquals(response.status, status);
        await response.text();
      }, { required: status === 413 });
    });
  }
});

Deno.test("FormUpload refuses a file that is too large, and leaves nothing behind", async () => {
  await withUpload({ memoryLimit: 1000, maxFileSize: 200_000 }, async ({ port }, directory) => {
    await expectLog(genLog, /File 300000.bin is larger than 200000 bytes/, async () => {
      const response = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: form() });
      assertEquals(response.status, 413);
      await response.text();
    });
    await until(() => filesIn(directory).length === 0);
  });
});

Deno.test("FormUpload removes what it wrote when the client leaves in the middle", async () => {
  await withUpload({ memoryLimit: 100 }, async ({ port }, directory, seen) => {
    const client = await RawClient.connect(port);
    await client.send(
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n" +
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n" +
        '--b\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\n' + "x".repeat(5000),
    );
    await until(() => filesIn(directory).length === 1);
    assert(/^upload-[-0-9a-f]{36}$/.test(filesIn(directory)[0]!));
    const { mode } = await Deno.stat(`${directory}/${filesIn(directory)[0]}`);
    assertEquals(mode! & 0o777, 0o600);
    client[Symbol.dispose]();
    await until(() => seen.left);
    await until(() => filesIn(directory).length === 0);
  });
});

Deno.test("FormUpload answers 400 to what is no form, or has no end", async () => {
  await withUpload({}, async ({ ask }) => {
    const post = async (type: string, body: string) =>
      (await ask("POST", "/", { headers: { "Content-Type": type }, body })).status;
    await expectLog(genLog, "", async () => {
      assertEquals(await post("text/plain", "x"), 400);
      assertEquals(await post("multipart/form-data", "x"), 400);
      assertEquals(await post("multipart/form-data; boundary=b", "--b\r\nbad\r\n\r\n"), 400);
      assertEquals(
        await post(
          "multipart/form-data; boundary=b",
          '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx',
        ),
        400,
      );
      const { status } = await ask("POST", "/", {
        headers: { "Content-Type": "multipart/form-data; boundary=b" },
        body: Uint8Array.from(
          '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--b--',
          (char) => char.charCodeAt(0),
        ),
      });
      assertEquals(status, 400);
    }, { required: false });
  });
});
