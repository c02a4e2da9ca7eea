import { assertEquals } from "@std/assert";
import { sleep } from "../../gen/mod.ts";
import { appLog, IOLoop } from "../../ioloop/mod.ts";
import { onShutdown } from "../../process/mod.ts";
import { expectLog } from "../../testing/mod.ts";

/** Sends this process SIGTERM and waits for `done`; waiting for a signal keeps nothing alive. */
async function terminated(done: Promise<void>): Promise<void> {
  const kept = setInterval(() => {}, 1000);
  try {
    Deno.kill(Deno.pid, "SIGTERM");
    await done;
  } finally {
    clearInterval(kept);
  }
}

Deno.test("onShutdown() calls functions at SIGTERM, the newest first, one after the other", () =>
  new IOLoop().run(async () => {
    const seen: unknown[] = [];
    const done = Promise.withResolvers<void>();
    onShutdown((signal) => {
      seen.push(signal);
      done.resolve();
    });
    onShutdown(function* () {
      seen.push("generator begins");
      yield* sleep(1);
      seen.push("generator ends");
    });
    onShutdown(async () => {
      await Promise.resolve();
      seen.push("promise");
    });
    await terminated(done.promise);
    assertEquals(seen, ["promise", "generator begins", "generator ends", "SIGTERM"]);
  }));

Deno.test("onShutdown() goes on after a function that fails, and logs its error", async () => {
  const done = Promise.withResolvers<void>();
  const { matched } = await expectLog(appLog, /^Exception in callback/, async () => {
    onShutdown(() => done.resolve());
    onShutdown(() => Promise.reject(new Error("too late")));
    onShutdown(function broken() {
      throw new Error("too early");
    });
    await terminated(done.promise);
  });
  assertEquals(
    matched.map((message) => message.split("\n")[0]),
    [
      "Exception in callback broken: Error: too early",
      "Exception in callback onShutdown: Error: too late",
    ],
  );
});

Deno.test("onShutdown() returns what takes a function back, twice too", async () => {
  const seen: string[] = [];
  const done = Promise.withResolvers<void>();
  const takeBack = onShutdown(() => seen.push("taken back"));
  onShutdown(() => {
    seen.push("stays");
    done.resolve();
  });
  takeBack();
  takeBack();
  await terminated(done.promise);
  assertEquals(seen, ["stays"]);
});

/** Runs a program that prints a line once it is ready, and then gets the signals. */
async function signalled(body: string, ...signals: Deno.Signal[]) {
  const module = new URL("../../process/mod.ts", import.meta.url);
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `import { onShutdown } from "${module}";
      const print = (text) => Deno.stdout.writeSync(new TextEncoder().encode(text + "\\n"));
      const kept = setInterval(() => {}, 1000);
      ${body}
      print("ready");`,
    ],
    cwd: new URL("../../", import.meta.url),
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const lines: string[] = [];
  for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) {
    for (const line of piece.split("\n").filter((line) => line !== "")) {
      lines.push(line);
      const signal = signals.shift(); // one for each line: what it says has happened
      if (signal !== undefined) child.kill(signal);
    }
  }
  const { code, signal } = await child.status;
  return { lines, code, signal };
}

Deno.test("onShutdown() lets the process end by itself when nothing is left to do", async () => {
  for (const sent of ["SIGTERM", "SIGINT"] as const) {
    const { lines, code, signal } = await signalled(
      `onShutdown((signal) => { print(signal); clearInterval(kept); });`,
      sent,
    );
    assertEquals([lines, code, signal], [["ready", sent], 0, null]);
  }
});

Deno.test("onShutdown() leaves the second signal what it does by itself", async () => {
  const { lines, code } = await signalled(
    `onShutdown(() => { print("hangs"); return new Promise(() => {}); });`,
    "SIGTERM",
    "SIGINT",
  );
  assertEquals([lines, code], [["ready", "hangs"], 130]);
});

Deno.test("onShutdown() whose function was taken back gives the signals back", async () => {
  const { lines, code } = await signalled(`onShutdown(() => print("called"))();`, "SIGTERM");
  assertEquals([lines, code], [["ready"], 143]);
});
