import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { expectLog, fakeLoop, memoryPair } from "../../testing/mod.ts";
import { appLog, genLog, IOLoop } from "../../ioloop/mod.ts";
import { sleep } from "../../gen/mod.ts";
import { addAcceptHandler } from "../../iostream/mod.ts";

/** Is a listener whose accepts end as the test says. */
class ScriptedListener {
  readonly addr: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port: 1 };
  /** How often a connection was asked for. */
  accepts = 0;
  readonly #outcomes: unknown[] = [];
  #pending: PromiseWithResolvers<Deno.Conn> | null = null;
  #always: Error | null = null;

  /** Lets the next accept, or the pending one, bring `conn`. */
  connect(conn: Deno.Conn = makeConn()): Deno.Conn {
    this.#outcomes.push(conn);
    this.#settle();
    return conn;
  }

  /** Lets one accept fail. */
  fail(error: Error): void {
    this.#outcomes.push(error);
    this.#settle();
  }

  /** Lets every accept fail, until it is null. */
  failAlways(error: Error | null): void {
    this.#always = error;
    this.#settle();
  }

  accept(): Promise<Deno.Conn> {
    this.accepts++;
    this.#pending = Promise.withResolvers();
    const { promise } = this.#pending;
    this.#settle();
    return promise;
  }

  close(): void {}

  #settle(): void {
    const outcome = this.#always ?? (this.#pending === null ? undefined : this.#outcomes.shift());
    if (this.#pending === null || outcome === undefined) return;
    if (outcome instanceof Error) this.#pending.reject(outcome);
    else this.#pending.resolve(outcome as Deno.Conn);
    this.#pending = null;
  }
}

function makeConn(): Deno.Conn {
  const [conn] = memoryPair();
  return Object.assign(conn, {
    remoteAddr: { transport: "tcp", hostname: "127.0.0.1", port: 2 },
  }) as unknown as Deno.Conn;
}

function asListener(listener: ScriptedListener): Deno.Listener {
  return listener as unknown as Deno.Listener;
}

const NO_DESCRIPTOR = Object.assign(new Error("Too many open files (os error 24)"), {
  code: "EMFILE",
});

// Runs `body` with a loop that runs and whose clock it moves.
async function withLoop(
  body: (tick: (ms: number) => Promise<void>) => Promise<void>,
): Promise<void> {
  const { loop, tick } = fakeLoop();
  const running = loop.start();
  try {
    await body(tick);
  } finally {
    loop.stop();
    await running;
    loop.close();
  }
}

Deno.test("addAcceptHandler() calls back with each connection and its address", () =>
  withLoop(async (tick) => {
    const listener = new ScriptedListener();
    const seen: [Deno.Conn, Deno.Addr][] = [];
    const remove = addAcceptHandler(
      asListener(listener),
      (conn, address) => seen.push([conn, address]),
    );
    const conns = [listener.connect(), listener.connect(), listener.connect()];
    await tick(0);
    assertEquals(seen, conns.map((conn) => [conn, conn.remoteAddr]));
    remove();
  }));

Deno.test("addAcceptHandler() returns what ends it; the listener stays open, a late connection is closed", () =>
  withLoop(async (tick) => {
    const listener = new ScriptedListener();
    const seen: unknown[] = [];
    const remove = addAcceptHandler(asListener(listener), (conn) => seen.push(conn));
    await tick(0);
    remove();
    remove();
    const late = listener.connect();
    await tick(0);
    assertEquals(seen, []);
    assertThrows(() => late.close(), Deno.errors.BadResource);
    const removeSecond = addAcceptHandler(asListener(listener), (conn) => seen.push(conn));
    remove(); // must not end the second registration
    const conn = listener.connect();
    await tick(0);
    assertEquals(seen, [conn]);
    removeSecond();
  }));

Deno.test("addAcceptHandler() on a listener that is registered already throws", () =>
  withLoop(async (tick) => {
    const listener = asListener(new ScriptedListener());
    const remove = addAcceptHandler(listener, () => {});
    assertThrows(() => addAcceptHandler(listener, () => {}), Error, "registered already");
    remove();
    await tick(0);
  }));

Deno.test("addAcceptHandler() lets others run between the connections of a flood", () =>
  withLoop(async (tick) => {
    const listener = new ScriptedListener();
    for (let i = 0; i < 500; i++) listener.connect();
    let inRow = 0;
    let most = 0;
    let all = 0;
    const loop = IOLoop.current();
    const remove = addAcceptHandler(asListener(listener), () => {
      all++;
      most = Math.max(most, ++inRow);
      loop.addCallback(() => inRow = 0);
    });
    await tick(0);
    assertEquals(all, 500);
    assert(most <= 128, `${most} in a row`);
    remove();
  }));

Deno.test("addAcceptHandler() passes over connections that were lost before they were accepted", () =>
  withLoop(async (tick) => {
    const listener = new ScriptedListener();
    const seen: unknown[] = [];
    const remove = addAcceptHandler(asListener(listener), (conn) => seen.push(conn));
    const { matched } = await expectLog(genLog, "", async () => {
      listener.fail(new Deno.errors.ConnectionAborted("gone"));
      listener.fail(Object.assign(new Error("unreachable"), { code: "EHOSTUNREACH" }));
      const conn = listener.connect();
      await tick(0); // no time passes
      assertEquals(seen, [conn]);
    }, { required: false });
    assertEquals(matched, []);
    remove();
  }));

Deno.test("addAcceptHandler() without descriptors logs once, waits, and does not spin", () =>
  withLoop(async (tick) => {
    const listener = new ScriptedListener();
    const seen: unknown[] = [];
    const remove = addAcceptHandler(asListener(listener), (conn) => seen.push(conn));
    const { matched } = await expectLog(genLog, /Too many open files/, async () => {
      listener.failAlways(NO_DESCRIPTOR);
      await tick(1000);
      assertEquals(listener.accepts, 1 + 10);
    }, { level: "error" });
    assertEquals(matched.length, 1);
    assertStringIncludes(matched[0]!, "Cannot accept a connection");
    listener.failAlways(null);
    const conn = listener.connect();
    await tick(100);
    assertEquals(seen, [conn]);
    // What comes after a connection is told again.
    const again = await expectLog(genLog, /Too many open files/, async () => {
      listener.failAlways(NO_DESCRIPTOR);
      await tick(300);
    });
    assertEquals(again.matched.length, 1);
    remove();
    const { accepts } = listener;
    await tick(1000);
    assertEquals(listener.accepts, accepts);
  }));

Deno.test("addAcceptHandler() ends when somebody closed the listener, with one line in the log", () =>
  withLoop(async (tick) => {
    const listener = new ScriptedListener();
    const remove = addAcceptHandler(asListener(listener), () => {});
    const { matched } = await expectLog(genLog, /listener was closed/, async () => {
      listener.failAlways(new Deno.errors.BadResource("closed"));
      await tick(1000);
    });
    assertEquals(matched.length, 1);
    assertEquals(listener.accepts, 1);
    remove();
  }));

Deno.test("addAcceptHandler() logs what the callback throws, and goes on", () =>
  withLoop(async (tick) => {
    const listener = new ScriptedListener();
    let calls = 0;
    const remove = addAcceptHandler(asListener(listener), function* () {
      calls++;
      yield* sleep(1);
      throw new Error("bad callback");
    });
    const { matched } = await expectLog(appLog, /bad callback/, async () => {
      listener.connect();
      listener.connect();
      await tick(1);
    });
    assertEquals([calls, matched.length], [2, 2]);
    remove();
  }));

Deno.test({
  name: "addAcceptHandler() survives that the process runs out of descriptors",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const { code, stdout, stderr } = await new Deno.Command("sh", {
      args: [
        "-c",
        'ulimit -n 64; exec "$0" run --allow-net=127.0.0.1 --allow-read --allow-write=/dev/null "$1"',
        Deno.execPath(),
        new URL("_few_descriptors.ts", import.meta.url).href,
      ],
      stdin: "null",
    }).output();
    const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assertEquals(code, 0, decode(stderr));
    assertEquals(decode(stdout), "logged 1, accepted 1\n");
  },
});
