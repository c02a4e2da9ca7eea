import { assertEquals } from "@std/assert";
import { postgresPrograms, PostgresServer } from "./_postgres_server.ts";
import { ServedExample } from "./_served_example.ts";

function start(database: string): Promise<ServedExample> {
  return ServedExample.start("database/main.ts", ["--database", database], {
    permissions: ["--allow-net", "--allow-env", "--allow-read", "--allow-write=/tmp"],
  });
}

type Ask = (method: string, path: string, body?: unknown) => Promise<[number, unknown]>;

function asker({ port }: ServedExample): Ask {
  return async (method, path, body) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      ...body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) },
    });
    const text = await response.text();
    return [response.status, response.ok && text !== "" ? JSON.parse(text) : null];
  };
}

const TEXT = 'it\'s "two"\nlines; DROP TABLE notes -- \u{1f300}';

/** Does with a database what one does with notes. */
async function use(database: string): Promise<void> {
  const one = { id: 1, title: "One", text: TEXT };
  const two = { id: 2, title: "", text: "" };
  {
    await using example = await start(database);
    const ask = asker(example);
    assertEquals(await ask("GET", "/notes"), [200, { notes: [] }]);
    assertEquals(await ask("POST", "/notes", { title: "One", text: TEXT }), [201, one]);
    assertEquals(await ask("POST", "/notes", two), [201, two]);
    assertEquals(await ask("GET", "/notes/1"), [200, one]);
    assertEquals(await ask("GET", "/notes?after=1"), [200, { notes: [two] }]);
    const changed = { id: 2, title: "Two", text: "second" };
    assertEquals(await ask("PUT", "/notes/2", { title: "Two", text: "second" }), [200, changed]);
    assertEquals(await ask("GET", "/notes"), [200, { notes: [one, changed] }]);
    assertEquals(await ask("DELETE", "/notes/2"), [204, null]);
    for (const id of [2, 3, 2 ** 31, "9".repeat(400)]) {
      assertEquals(await ask("GET", `/notes/${id}`), [404, null]);
      assertEquals(await ask("PUT", `/notes/${id}`, two), [404, null]);
      assertEquals(await ask("DELETE", `/notes/${id}`), [404, null]);
    }
    for (
      const bad of ["", "{", "null", { title: "x" }, { title: 1, text: "" }, {
        title: "\0",
        text: "",
      }]
    ) {
      assertEquals(await ask("POST", "/notes", bad), [400, null]);
      assertEquals(await ask("PUT", "/notes/1", bad), [400, null]);
    }
    for (const after of ["x", -1, 2 ** 31]) {
      assertEquals(await ask("GET", `/notes?after=${after}`), [400, null]);
    }
  }
  // The next process finds them again; a hundred at a time are added, and listed.
  await using example = await start(database);
  const ask = asker(example);
  assertEquals(await ask("GET", "/notes"), [200, { notes: [one] }]);
  const added = await Promise.all(
    Array.from({ length: 120 }, (_, at) => ask("POST", "/notes", { title: `${at}`, text: "" })),
  );
  assertEquals(new Set(added.map(([, note]) => (note as { id: number }).id)).size, 120);
  const [, first] = await ask("GET", "/notes") as [number, { notes: { id: number }[] }];
  assertEquals(first.notes.length, 100);
  const [, rest] = await ask("GET", `/notes?after=${first.notes.at(-1)!.id}`);
  assertEquals((rest as typeof first).notes.length, 21);
}

Deno.test("the example of databases keeps notes in SQLite", async () => {
  const directory = await Deno.makeTempDir();
  await use(`${directory}/notes.sqlite`);
  await Deno.remove(directory, { recursive: true });
});

Deno.test({
  name: "the example of databases keeps notes in PostgreSQL",
  ignore: postgresPrograms === null,
  fn: async () => {
    await using server = await PostgresServer.start();
    await use(server.url);
  },
});
