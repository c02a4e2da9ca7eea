import { assert, assertEquals, assertMatch } from "@std/assert";
import { bindUnusedPort } from "../../testing/mod.ts";
import { RawClient } from "../http/_raw_client.ts";
import { Fleet } from "./_fleet.ts";

const LINUX = Deno.build.os === "linux"; // elsewhere a process does not know its flags
const ROOT = new URL("../../", import.meta.url).pathname;
const FLAGS = [
  `--config=${ROOT}deno.json`,
  "--allow-read",
  "--allow-net=127.0.0.1",
  "--allow-env=WATERSPOUT_RELOAD,WATERSPOUT_TASK,NO_COLOR,WS_NO_BUFFER_UTIL",
  "--allow-run=deno",
  `--allow-run=${Deno.execPath()}`,
];

const IMPORTS = `
  import { Application, RequestHandler } from "${ROOT}web/mod.ts";
  import { autoreload, enablePrettyLogging, onShutdown, runServer } from "${ROOT}process/mod.ts";
  import { IOLoop } from "${ROOT}ioloop/mod.ts";
  const print = (...words: unknown[]) =>
    Deno.stdout.writeSync(new TextEncoder().encode(words.join(" ") + "\\n"));
  enablePrettyLogging({ level: "debug", color: false });
`;

function reloadTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !LINUX, fn });
}

/** A program made of files, and the process that runs it. */
class Program implements AsyncDisposable {
  readonly #directory: string;
  readonly fleet: Fleet;

  private constructor(directory: string, fleet: Fleet) {
    this.#directory = directory;
    this.fleet = fleet;
  }

  /** Writes `main.ts` and other files, and runs it. */
  static async start(
    main: string,
    files: Readonly<Record<string, string>> = {},
    { args = [], flags = FLAGS, before = [] }: {
      readonly args?: readonly string[];
      readonly flags?: readonly string[];
      /** A program that runs it, and what that is told. */
      readonly before?: readonly string[];
    } = {},
  ): Promise<Program> {
    const directory = await Deno.makeTempDir();
    const script = `${directory}/main.ts`;
    await Deno.writeTextFile(script, main);
    for (const [name, text] of Object.entries(files)) {
      await Deno.mkdir(`${directory}/${name}`.replace(/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(`${directory}/${name}`, text);
    }
    const [program = script, ...rest] = [...before, script];
    const fleet = new Fleet([...rest, ...args], {
      flags,
      program,
      onEnd: () => Deno.remove(directory, { recursive: true }),
    });
    return new Program(directory, fleet);
  }

  /** Writes one of its files. */
  async write(name: string, text: string): Promise<void> {
    await Deno.writeTextFile(`${this.#directory}/${name}`, text);
  }

  /** How often something was printed. */
  count(text: string): number {
    return this.fleet.stdout.split(text).length + this.fleet.stderr.split(text).length - 2;
  }

  /** Waits until something was printed so many times. */
  async printed(text: string, times = 1): Promise<void> {
    await this.fleet.until(() => this.count(text) >= times);
  }

  /** What was printed behind a word, in all lines that begin with it. */
  lines(word: string): string[] {
    return this.fleet.stdout.split("\n").filter((line) => line.startsWith(`${word} `))
      .map((line) => line.slice(word.length + 1));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fleet[Symbol.asyncDispose]();
  }
}

const LOOKING = "Looking for changes of";

/** Looks for changes, tells that it runs, and that it still does ten looks later. */
const LOOKER = `${IMPORTS}
  import { text } from "./text.ts";
  autoreload.addReloadHook(() => print("hook", text));
  autoreload.start({ checkTime: 20 });
  autoreload.start({ checkTime: 20 });
  print("run", text, Deno.pid, Deno.ppid, JSON.stringify(Deno.args));
  IOLoop.current().callLater(500, () => print("steady", text));
  await IOLoop.current().start();
  print("over");
`;

reloadTest("autoreload.start() starts the program anew when a module changes, once", async () => {
  const args = ["arg1", "--arg2", "-m", "arg3", "--", "a b"];
  await using program = await Program.start(
    LOOKER,
    { "text.ts": `export const text = "one";` },
    { args },
  );
  await program.printed(LOOKING);
  await program.write("text.ts", `export const text = "two";`);
  await program.printed("steady two");
  await program.printed(LOOKING, 2);
  assertEquals(program.lines("hook"), ["one"]);
  const [first, second, ...others] = program.lines("run");
  assertEquals(others, []);
  const [, pid] = /^one (\d+) /.exec(first!)!;
  assertMatch(second!, new RegExp(`^two \\d+ ${pid} `)); // a child of the first
  for (const run of [first!, second!]) assert(run.endsWith(JSON.stringify(args)), run);
  assertEquals(program.count(LOOKING), 2);
  assertEquals(program.count("more than one loop"), 0);
  assertEquals(program.lines("over"), []); // the program that was left does nothing any more
});

reloadTest("autoreload.start() has one process wait for another, never more", async () => {
  await using program = await Program.start(LOOKER, { "text.ts": `export const text = 1;` });
  for (let n = 2; n <= 4; n++) {
    await program.printed(LOOKING, n - 1);
    await program.write("text.ts", `export const text = ${n};`);
    await program.printed(`run ${n}`);
  }
  const runs = program.lines("run").map((line) => line.split(" "));
  const [first] = runs;
  assertEquals(runs.slice(1).map(([, , parent]) => parent), Array(3).fill(first![1]));
  assertEquals(program.lines("hook"), ["1", "2", "3"]);
});

reloadTest(
  "autoreload.watch() starts the program anew when such a file changes, comes or goes",
  async () => {
    const main = `${IMPORTS}
    const here = new URL(".", import.meta.url);
    autoreload.watch(new URL("data.txt", here));
    autoreload.watch(new URL("more/", here).pathname);
    autoreload.start({ checkTime: 20 });
    print("run");
    await IOLoop.current().start();
  `;
    await using program = await Program.start(main, { "data.txt": "one", "more/deep/a.txt": "" });
    const changes: [string, string][] = [
      ["data.txt", "two"],
      ["more/deep/a.txt", "two"],
      ["more/new.txt", "new"],
    ];
    for (const [at, [name, text]] of changes.entries()) {
      await program.printed(LOOKING, at + 1);
      await program.write(name, text);
      await program.printed(`${name} changed, starting anew`);
      await program.printed("run\n", at + 2);
    }
  },
);

reloadTest(
  "an Application with debug starts anew when a template changes, on the same port",
  async () => {
    const { listener, port } = bindUnusedPort();
    listener.close();
    const main = `${IMPORTS}
    class Page extends RequestHandler {
      override get() {
        return this.render("page.html");
      }
    }
    const templatePath = new URL("templates", import.meta.url).pathname;
    new Application([["/", Page]], { debug: true, compiledTemplateCache: true, templatePath })
      .listen(${port}, "127.0.0.1");
    print("run");
    setInterval(() => print("left", Deno.pid), 100);
    await IOLoop.current().start();
  `;
    await using program = await Program.start(main, { "templates/page.html": "one" });
    const ask = async () => {
      using client = await RawClient.connect(port);
      await client.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
      return (await client.answer()).text;
    };
    await program.printed(LOOKING);
    assertEquals(await ask(), "one");
    using idle = await RawClient.connect(port); // is closed, and keeps nobody from the port
    await program.write("templates/page.html", "two");
    await program.printed("run\n", 2);
    await idle.rest();
    await program.printed(LOOKING, 2);
    assertEquals(await ask(), "two");
    const left = program.lines("left").length;
    await program.fleet.until(() => program.lines("left").length > left + 3);
    const pids = new Set(program.lines("left").slice(left));
    assertEquals(pids.size, 1); // only one of the two still runs
  },
);

reloadTest(
  "runServer() of an Application with autoreload starts anew on the same port",
  async () => {
    const { listener, port } = bindUnusedPort();
    listener.close();
    const main = `${IMPORTS}
    import { text } from "./text.ts";
    class Page extends RequestHandler {
      override get() {
        this.write(text);
      }
    }
    print("run");
    await runServer(new Application([["/", Page]], { autoreload: true }), { port: ${port} });
  `;
    await using program = await Program.start(main, { "text.ts": `export const text = "one";` });
    const ask = async () => {
      using client = await RawClient.connect(port);
      await client.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
      return (await client.answer()).text;
    };
    await program.printed(LOOKING);
    assertEquals(await ask(), "one");
    await program.write("text.ts", `export const text = "two";`);
    await program.printed(LOOKING, 2);
    assertEquals(await ask(), "two");
  },
);

reloadTest("autoreload.start() waits until a module that is broken is repaired", async () => {
  await using program = await Program.start(LOOKER, { "text.ts": `export const text = "one";` });
  await program.printed(LOOKING);
  await program.write("text.ts", `export const text = ;`);
  await program.printed("text.ts changed, but cannot be used: SyntaxError");
  assertEquals(program.lines("run").length, 1);
  await program.write("text.ts", `export const text = "two";`);
  await program.printed("run two");
  assertEquals(program.lines("hook"), ["one"]);
});

reloadTest("a program that started anew gets signals, and its exit code counts", async () => {
  const main = `${IMPORTS}
    import { text } from "./text.ts";
    autoreload.start({ checkTime: 20 });
    onShutdown((signal) => {
      print("got", text, signal);
      Deno.exit(7);
    });
    print("run", text);
    await IOLoop.current().start();
  `;
  await using program = await Program.start(main, { "text.ts": `export const text = "one";` });
  await program.printed(LOOKING);
  await program.write("text.ts", `export const text = "two";`);
  await program.printed("run two");
  program.fleet.kill("SIGTERM");
  const { code } = await program.fleet.ended;
  assertEquals([code, program.lines("got")], [7, ["two SIGTERM"]]);
});

reloadTest("a program that started anew ends when its parent is killed", async () => {
  await using program = await Program.start(LOOKER, { "text.ts": `export const text = "one";` });
  await program.printed(LOOKING);
  await program.write("text.ts", `export const text = "two";`);
  await program.printed("run two");
  program.fleet.kill("SIGKILL");
  await program.fleet.ended; // when nobody has its output open
});

reloadTest("autoreload.start() goes on when a hook throws, and says so", async () => {
  const main = `${IMPORTS}
    autoreload.addReloadHook(function bad() {
      throw new Error("from the hook");
    });
    autoreload.addReloadHook(() => print("hook"));
    autoreload.start({ checkTime: 20 });
    print("run");
    await IOLoop.current().start();
  `;
  await using program = await Program.start(main);
  await program.printed(LOOKING);
  await program.write("main.ts", `${main}\n`);
  await program.printed("run\n", 2);
  assertEquals(program.count("Exception in callback bad: Error: from the hook"), 1);
  assertEquals(program.count("hook\n"), 2); // one of them is in the log
});

reloadTest("autoreload.start() from two loops warns", async () => {
  const main = `${IMPORTS}
    autoreload.start({ ioLoop: new IOLoop() });
    autoreload.start({ ioLoop: new IOLoop() });
  `;
  await using program = await Program.start(main);
  const { stderr } = await program.fleet.ended;
  assertMatch(stderr, /^\[W .*\] Looking for changes from more than one loop\n$/);
});

reloadTest("autoreload.start() says which permission is missing", async () => {
  const main = `${IMPORTS}
    autoreload.start();
    await IOLoop.current().start();
  `;
  for (const missing of ["--allow-env", "--allow-run", "--allow-read"]) {
    const flags = FLAGS.filter((flag) => !flag.startsWith(missing));
    await using program = await Program.start(main, {}, { flags });
    const { stderr } = await program.fleet.ended;
    assertMatch(stderr, new RegExp(`^\\[W .*that needs deno run ${missing}`));
  }
});

reloadTest("autoreload.start() does nothing in a process of forkProcesses()", async () => {
  const main = `
    Deno.env.set("WATERSPOUT_TASK", "0 " + Deno.ppid);
    ${IMPORTS}
    autoreload.start();
    IOLoop.current().start();
  `;
  await using program = await Program.start(main);
  const { stderr } = await program.fleet.ended; // nothing keeps it
  assertEquals(stderr, "");
});

Deno.test("autoreload.start() does nothing in a test", async () => {
  const { autoreload, options } = await import("../../process/mod.ts");
  const { IOLoop } = await import("../../ioloop/mod.ts");
  assert(options.has("logging"));
  const loop = new IOLoop();
  autoreload.start({ ioLoop: loop });
  await loop.run(() => {}); // the sanitizers see that nothing is left
  loop.close();
});

reloadTest("autoreload.wait() starts a program anew that has come to its end", async () => {
  const main = `${IMPORTS}
    import { text } from "./text.ts";
    print("run", text);
    if (text === "one") await autoreload.wait({ checkTime: 20 });
  `;
  await using program = await Program.start(main, { "text.ts": `export const text = "one";` });
  await program.printed(LOOKING);
  await program.write("text.ts", `export const text = "two";`);
  const { code } = await program.fleet.ended;
  assertEquals([code, program.lines("run")], [0, ["one", "two"]]);
});

const CLI = `${ROOT}process/autoreload_cli.ts`;

reloadTest(
  "autoreload_cli runs a program again that could not be loaded, when it is repaired",
  async () => {
    await using program = await Program.start(
      `import { text } from "./text.ts"; console.log("run", text, JSON.stringify(Deno.args));`,
      { "text.ts": `export const text = ;` },
      { before: [CLI, "--until-success"], args: ["arg1", "--arg2", "-m", "arg3"] },
    );
    await program.printed("ended with 1, waiting for a change");
    await program.write("text.ts", `throw new Error("from text.ts"); export const text = 1;`);
    await program.printed("ended with 1, waiting for a change", 2);
    await program.printed("Error: from text.ts");
    await program.write("text.ts", `export const text = "two";`);
    const { code } = await program.fleet.ended;
    assertEquals([code, program.lines("run")], [0, [`two ["arg1","--arg2","-m","arg3"]`]]);
  },
);

reloadTest(
  "autoreload_cli without --until-success also runs a program again that ended well",
  async () => {
    await using program = await Program.start(
      `import { text } from "./text.ts"; console.log("run", text);`,
      { "text.ts": `export const text = "one";` },
      { before: [CLI] },
    );
    await program.printed("ended with 0, waiting for a change");
    await program.write("text.ts", `export const text = "two";`);
    await program.printed("ended with 0, waiting for a change", 2);
    assertEquals(program.lines("run"), ["one", "two"]);
    program.fleet.kill("SIGTERM");
    assertEquals((await program.fleet.ended).signal, "SIGTERM");
  },
);

reloadTest(
  "autoreload_cli gives a program its permissions, and lets it start anew itself",
  async () => {
    await using program = await Program.start(
      `${LOOKER}`.replace(
        `print("run"`,
        `print("net", Deno.permissions.querySync({ name: "net" }).state);
       print("run"`,
      ),
      { "text.ts": `export const text = "one";` },
      { before: [CLI] },
    );
    await program.printed(LOOKING);
    await program.write("text.ts", `export const text = "two";`);
    await program.printed("run two");
    const parents = program.lines("run").map((line) => line.split(" ")[2]);
    assertEquals(new Set(parents).size, 1); // both are children of the wrapper
    assertEquals(program.lines("net"), ["prompt", "prompt"]); // not for every address
    program.fleet.kill("SIGTERM");
    await program.fleet.ended;
  },
);

reloadTest("autoreload_cli without a script tells how it is used", async () => {
  await using fleet = new Fleet(["--until-success"], { flags: FLAGS, program: CLI });
  const { code, stderr } = await fleet.ended;
  assertEquals(code, 2);
  assertMatch(stderr, /^Usage: autoreload_cli/);
});
