import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { fetchOnce } from "../../http/mod.ts";
import { bindUnusedPort } from "../../testing/mod.ts";
import { forkProcesses, taskId } from "../../process/mod.ts";
import { RawClient } from "../http/_raw_client.ts";
import { askAll, FLAGS, Fleet } from "./_fleet.ts";

const LINUX = Deno.build.os === "linux"; // elsewhere processes cannot share a port
const ROOT = new URL("../../", import.meta.url).pathname;

function forkTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !LINUX, fn });
}

function freePort(): number {
  const { listener, port } = bindUnusedPort();
  listener.close();
  return port;
}

function request(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
}

/** A connection that a certain child serves, with a request in progress. */
async function busyWith(port: number, id: number, path: string): Promise<RawClient> {
  for (;;) {
    const client = await RawClient.connect(port);
    await client.send(request("/slow?ms=0"));
    if (await whoAnswers(client) === id) {
      await client.send(request(path));
      return client;
    }
    client.close();
  }
}

/** The child at the other end; null when it is about to end and took the connection with it. */
async function whoAnswers(client: RawClient): Promise<number | null> {
  try {
    return Number((await client.answer()).text);
  } catch {
    return null;
  }
}

/** Lets a child end with `code`, and waits until it has. */
async function endChild(port: number, id: number, code: number): Promise<void> {
  using client = await busyWith(port, id, `/exit?code=${code}`);
  await client.rest();
}

const PROGRAM_FLAGS = [`--allow-read=${ROOT}`, `--config=${ROOT}deno.json`];

/** Starts a program, given as text, and removes its file when it has ended. */
async function startProgram(
  body: string,
  { flags = FLAGS, args = [] }: { flags?: readonly string[]; args?: readonly string[] } = {},
): Promise<Fleet> {
  const directory = await Deno.makeTempDir();
  const program = `${directory}/main.ts`;
  await Deno.writeTextFile(
    program,
    `import { forkProcesses, onShutdown, taskId } from "${ROOT}process/mod.ts";
    const print = (value: unknown) =>
      Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(value) + "\\n"));
    const stay = () => setInterval(() => {}, 1000);
    ${body}`,
  );
  return new Fleet(args, {
    flags: [...flags, ...PROGRAM_FLAGS],
    program,
    onEnd: () => Deno.remove(directory, { recursive: true }),
  });
}

/** Runs a program to its end; gives its lines, sorted. */
async function runProgram(...args: Parameters<typeof startProgram>) {
  await using fleet = await startProgram(...args);
  const { code, stderr } = await fleet.ended;
  return { code, stderr, lines: fleet.lines };
}

forkTest(
  "forkProcesses() makes children 0, 1 and 2 that answer on one port, and no other",
  async () => {
    const port = freePort();
    await using fleet = await Fleet.listening("fork", 3, { port });
    const answered = await askAll(port, 3);
    assertEquals([...answered.keys()].sort(), [0, 1, 2]);
    for (const { id, pid } of fleet.members) assertEquals(answered.get(id), pid);
    assertEquals(new Set([...answered.values(), fleet.pid]).size, 4);
    fleet.kill("SIGTERM");
    const { code, stdout } = await fleet.ended;
    assertEquals(code, 0);
    assertEquals(stdout.match(/^(joined|over) .*/gm)!.sort(), [
      ...["joined 0", "joined 1", "joined 2"], // and nothing of the parent
      ...["over 0", "over 1", "over 2"],
    ]);
  },
);

forkTest(
  "forkProcesses() is followed by addListeners(), each child with a listener of its own",
  async () => {
    const port = freePort();
    await using fleet = await Fleet.listening("fork and add", 3, { port });
    assertEquals([...(await askAll(port, 3)).keys()].sort(), [0, 1, 2]);
    fleet.kill("SIGINT");
    assertEquals((await fleet.ended).code, 0);
  },
);

forkTest(
  "forkProcesses() starts a child again that was killed, under its number, and says so",
  async () => {
    const port = freePort();
    await using fleet = await Fleet.listening("fork", 3, { port });
    const { pid } = fleet.member(1);
    Deno.kill(pid, "SIGKILL");
    await fleet.until(() => fleet.members.length === 4);
    const again = fleet.members[3]!;
    assertEquals(again.id, 1);
    assert(again.pid !== pid);
    assertEquals((await askAll(port, 3)).get(1), again.pid);
    fleet.kill("SIGTERM");
    const { code, stderr } = await fleet.ended;
    assertEquals(code, 0);
    assertMatch(
      stderr,
      new RegExp(
        `^\\[W .*\\] Child 1 \\(pid ${pid}\\) was killed by SIGKILL, restarting in 100 ms$`,
        "m",
      ),
    );
  },
);

forkTest(
  "forkProcesses() starts a child again that ended with a code, but not with 0",
  async () => {
    const port = freePort();
    await using fleet = await Fleet.listening("fork", 2, { port });
    await endChild(port, 0, 3);
    await fleet.until(() => fleet.members.length === 3);
    assertMatch(fleet.stderr, /\[W .*Child 0 \(pid \d+\) ended with code 3, restarting in 100 ms/);
    for (const id of [0, 1]) await endChild(port, id, 0);
    const { code, stderr } = await fleet.ended; // by itself: none is left
    assertEquals(code, 0);
    assertEquals(fleet.members.length, 3);
    assertEquals(stderr.match(/\[I .*ended with code 0$/gm)?.length, 2);
  },
);

forkTest("forkProcesses() waits twice as long each time that a child fails again", async () => {
  const { code, stderr } = await runProgram(
    `await forkProcesses(1, { maxRestarts: 3 }); Deno.exit(7);`,
  );
  assertEquals(
    stderr.match(/Child 0 \(pid \d+\) ended with code 7, restarting.*/g)?.map((line) =>
      line.replace(/.*restarting/, "")
    ),
    [" in 100 ms", " in 200 ms", " in 400 ms"],
  );
  assertMatch(stderr, /Error: Cannot go on after 3 restarts: child 0 ended with code 7/);
  assertEquals(code, 1);
});

forkTest(
  "forkProcesses() fails after too many restarts, when the other children have ended",
  async () => {
    await using fleet = await startProgram(`
    try {
      const id = await forkProcesses(2, { maxRestarts: 0 });
      const kept = stay();
      onShutdown((signal) => {
        print(signal);
        clearInterval(kept);
      });
      print([id, Deno.pid]);
    } catch (error) {
      print((error as Error).message);
      Deno.exit(5);
    }
  `);
    await fleet.until(() => fleet.lines.length === 2);
    const [, pid] = JSON.parse(fleet.lines[1]!);
    Deno.kill(pid, "SIGKILL");
    const { code, stderr } = await fleet.ended;
    assertEquals(fleet.lines.slice(0, 2), [
      '"Cannot go on after 0 restarts: child 1 was killed by SIGKILL"',
      '"SIGTERM"',
    ], stderr);
    assertEquals(code, 5);
  },
);

forkTest("forkProcesses() passes SIGTERM on; answers in progress are finished", async () => {
  const port = freePort();
  await using fleet = await Fleet.listening("fork", 3, { port });
  const busy = await Promise.all([0, 1, 2].map((id) => busyWith(port, id, "/slow?ms=400")));
  await Promise.all([0, 1, 2].map((id) => busyWith(port, id, "/slow?ms=0"))).then((clients) =>
    clients.forEach((client) => client.close()) // the requests before are there by now
  );
  fleet.kill("SIGTERM");
  const answers = await Promise.all(busy.map((client) => client.answer()));
  assertEquals(answers.map(({ text }) => text), ["0", "1", "2"]);
  assertEquals(answers.map(({ headers }) => headers.get("Connection")), Array(3).fill("close"));
  busy.forEach((client) => client.close());
  assertEquals((await fleet.ended).code, 0);
  await assertRejects(() => RawClient.connect(port), Deno.errors.ConnectionRefused);
});

forkTest(
  "forkProcesses() finishes answers also when children get the signal themselves, as from a terminal",
  async () => {
    const port = freePort();
    await using fleet = await Fleet.listening("fork", 2, { port });
    // Both are at work: one that is about to end has given the signal its default action back.
    const busy = await Promise.all([0, 1].map((id) => busyWith(port, id, "/slow?ms=400")));
    for (const id of [0, 1]) (await busyWith(port, id, "/slow?ms=0")).close();
    fleet.kill("SIGINT");
    for (const { pid } of fleet.members) Deno.kill(pid, "SIGINT");
    for (const [id, client] of busy.entries()) {
      assertEquals((await client.answer()).text, String(id));
      client.close();
    }
    assertEquals((await fleet.ended).code, 0);
  },
);

for (const second of ["SIGTERM", "SIGINT"] as const) {
  forkTest(`forkProcesses() ends at once when ${second} follows a SIGTERM`, async () => {
    const port = freePort();
    await using fleet = await Fleet.listening("fork", 2, { port });
    const busy = await busyWith(port, 0, "/slow?ms=9000");
    const idle = await busyWith(port, 0, "/slow?ms=0");
    await idle.answer();
    const began = performance.now();
    fleet.kill("SIGTERM");
    await idle.rest(); // the child has begun to drain
    fleet.kill(second);
    const { code } = await fleet.ended;
    assertEquals(code, second === "SIGTERM" ? 143 : 130);
    assertEquals(await busy.rest(), "");
    assert(performance.now() - began < 5000);
    busy.close();
    idle.close();
  });
}

forkTest("forkProcesses() ends the children of a parent that was killed", async () => {
  const port = freePort();
  await using fleet = await Fleet.listening("fork", 2, { port });
  const busy = await busyWith(port, 1, "/slow?ms=1500");
  fleet.kill("SIGKILL");
  assertEquals((await busy.answer()).text, "1");
  busy.close();
  const { signal, stdout } = await fleet.ended; // the children had its output open
  assertEquals(signal, "SIGKILL");
  assertEquals(stdout.match(/^over .*/gm)!.sort(), ["over 0", "over 1"]);
});

forkTest(
  "forkProcesses() gives the parent the code of a child that a signal ended badly",
  async () => {
    await using fleet = await startProgram(`
    const id = await forkProcesses(2);
    const kept = stay();
    Deno.addSignalListener("SIGTERM", () => id === 0 ? clearInterval(kept) : Deno.exit(9));
    print(id);
  `);
    await fleet.until(() => fleet.lines.length === 2);
    fleet.kill("SIGTERM");
    assertEquals((await fleet.ended).code, 9);
  },
);

forkTest(
  "forkProcesses() passes SIGHUP and SIGQUIT on, and who does not listen ends by them",
  async () => {
    for (const [signal, code] of [["SIGHUP", 129], ["SIGQUIT", 131]] as const) {
      await using fleet = await startProgram(`print(await forkProcesses(2)); stay();`);
      await fleet.until(() => fleet.lines.length === 2);
      fleet.kill(signal);
      assertEquals((await fleet.ended).code, code);
    }
  },
);

forkTest("forkProcesses() passes SIGUSR1 on, and ends nothing by that", async () => {
  await using fleet = await startProgram(`
    await forkProcesses(1);
    const kept = stay();
    Deno.addSignalListener("SIGUSR1", () => {
      print("SIGUSR1");
      clearInterval(kept);
    });
    print("up");
  `);
  await fleet.until(() => fleet.lines.length === 1);
  fleet.kill("SIGUSR1");
  assertEquals((await fleet.ended).code, 0);
  assertEquals(fleet.lines, ['"SIGUSR1"', '"up"']);
});

forkTest(
  "forkProcesses() told to stop does not wait for the back-off of a child that failed",
  async () => {
    await using fleet = await startProgram(`
    await forkProcesses(1);
    Deno.exit(1);
  `);
    await fleet.until(() => fleet.stderr.includes("restarting in 1600 ms"));
    const began = performance.now();
    fleet.kill("SIGTERM");
    assertEquals((await fleet.ended).code, 0);
    assert(performance.now() - began < 1200);
  },
);

forkTest(
  "forkProcesses() gives children the same permissions, features and arguments",
  async () => {
    const { code, lines, stderr } = await runProgram(
      `
    const id = await forkProcesses(1);
    const net = (host?: string) => Deno.permissions.querySync({ name: "net", host }).state;
    print([id, taskId(), Deno.args, net(), net("127.0.0.1"), "listenDatagram" in Deno]);
    print(Deno.permissions.querySync({ name: "write" }).state);
    print(Deno.env.get("WATERSPOUT_TASK") ?? "nothing is left for others");
    `,
      { args: ["a b", "--watch", ""] },
    );
    assertEquals(lines, [
      '"nothing is left for others"',
      '"prompt"',
      '[0,0,["a b","--watch",""],"prompt","granted",true]',
    ], stderr);
    assertEquals(code, 0);
  },
);

forkTest("serve() answers over TLS in several processes, and ends them at SIGTERM", async () => {
  await using fleet = await Fleet.listening("serve with TLS", 2, { port: freePort() });
  const [port] = fleet.member(0).ports;
  const seen = new Set<string>();
  while (seen.size < 2) {
    const { body } = await fetchOnce(`https://127.0.0.1:${port}/`, { validateCert: false });
    seen.add(new TextDecoder().decode(body));
  }
  assertEquals([...seen].sort(), [0, 1].map((id) => `${id} ${fleet.member(id).pid}`));
  fleet.kill("SIGTERM");
  assertEquals((await fleet.ended).code, 0);
  assertEquals(fleet.lines.filter((line) => line.startsWith("cut")), ["cut 0", "cut 0"]);
});

forkTest("forkProcesses() with denoFlags gives children these flags", async () => {
  const { code, lines, stderr } = await runProgram(
    `
    const denoFlags = ["--allow-env=WATERSPOUT_TASK", "--config=${ROOT}deno.json"];
    const id = await forkProcesses(1, { denoFlags });
    const state = (name: "run" | "net") => Deno.permissions.querySync({ name }).state;
    print([id, Deno.args, state("run"), "listenDatagram" in Deno]);
  `,
    { args: ["--x"] },
  );
  assertEquals(lines, ['[0,["--x"],"prompt",false]'], stderr);
  assertEquals(code, 0);
});

forkTest("forkProcesses() twice is an error, in the parent and in a child", async () => {
  const { code, lines, stderr } = await runProgram(`
    const first = forkProcesses(1);
    const error = await forkProcesses(1).catch((error) => error);
    print([error.message, taskId()]);
    await first;
  `);
  assertEquals(lines, [
    '["Cannot start processes: they were started already",0]',
    '["Cannot start processes: they were started already",null]',
  ], stderr);
  assertEquals(code, 0);
});

forkTest("forkProcesses() in a program that a child starts makes a parent of that", async () => {
  const { code, lines, stderr } = await runProgram(`
    const id = await forkProcesses(1);
    if (Deno.args.includes("inner")) print("inner " + id);
    else {
      const { code } = await new Deno.Command(Deno.execPath(), {
        args: ["run", ...${JSON.stringify([...FLAGS, ...PROGRAM_FLAGS])}, Deno.mainModule, "inner"],
      }).spawn().status;
      print("outer " + id + " " + code);
    }
  `);
  assertEquals(lines, ['"inner 0"', '"outer 0 0"'], stderr);
  assertEquals(code, 0);
});

forkTest(
  "forkProcesses() without permission to run Deno names the flag, and that for the environment",
  async () => {
    const program = `await forkProcesses(1); print("joined");`;
    const noRun = await runProgram(program, { flags: ["--allow-env"] });
    assertEquals([noRun.code, noRun.lines], [1, []]);
    assertMatch(noRun.stderr, /NotCapable.*--allow-run/);
    const noEnv = await runProgram(program, { flags: ["--allow-run"] });
    assertEquals([noEnv.code, noEnv.lines], [1, []]);
    assertMatch(noEnv.stderr, /Error: .*--allow-env=WATERSPOUT_TASK/);
    const least = await runProgram(program, {
      flags: [`--allow-run=${Deno.execPath()}`, "--allow-env=WATERSPOUT_TASK"],
    });
    assertEquals([least.code, least.lines], [0, ['"joined"']], least.stderr);
  },
);

forkTest("forkProcesses() refuses to be a child of a process that is not its parent", async () => {
  const { code, lines, stderr } = await runProgram(`
    if (Deno.args.length === 0) {
      const { code } = await new Deno.Command(Deno.execPath(), {
        args: ["run", ...${JSON.stringify([...FLAGS, ...PROGRAM_FLAGS])}, Deno.mainModule, "left"],
        env: { WATERSPOUT_TASK: "2 1" },
      }).spawn().status;
      print(code);
    } else {
      print(taskId());
      await forkProcesses(1);
    }
  `);
  assertEquals([code, lines], [0, ["1", "2"]]);
  assertMatch(stderr, /Error: Cannot go on as child 2: its parent, process 1, has ended/);
});

Deno.test("forkProcesses() refuses numbers that are not whole, and restarts below 0", async () => {
  for (const count of [1.5, NaN, Infinity]) {
    await assertRejects(() => forkProcesses(count), RangeError, `Cannot start ${count} processes`);
  }
  for (const maxRestarts of [-1, 0.5, NaN]) {
    await assertRejects(
      () => forkProcesses(2, { maxRestarts }),
      RangeError,
      `maxRestarts must be a whole number from 0, got ${maxRestarts}`,
    );
  }
});

forkTest("forkProcesses() refuses a program of another command than deno run", async () => {
  await assertRejects(() => forkProcesses(2), Error, "this is deno test");
  assertEquals(taskId(), null);
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `import { forkProcesses } from "${ROOT}process/mod.ts"; await forkProcesses(2);`,
    ],
    cwd: ROOT,
    stdin: "null",
  }).output();
  assertEquals(code, 1);
  assertMatch(
    new TextDecoder().decode(stderr),
    /they run the program of deno run, and this is none/,
  );
});
