import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type CoroutineGenerator, withTimeout } from "../../gen/mod.ts";
import { CancelledError, IOLoop, TimeoutError } from "../../ioloop/mod.ts";
import { StreamClosedError } from "../../iostream/mod.ts";
import { CalledProcessError, Subprocess } from "../../process/mod.ts";

const { STREAM } = Subprocess;
const decoder = new TextDecoder();

function shell(script: string, options: ConstructorParameters<typeof Subprocess>[1] = {}) {
  return new Subprocess(["sh", "-c", script], { stdin: "null", ...options });
}

function subprocessTest(name: string, body: () => CoroutineGenerator): void {
  Deno.test({
    name,
    ignore: Deno.build.os === "windows",
    fn: () => new IOLoop().run(body, { timeout: 20_000 }),
  });
}

subprocessTest("Subprocess speaks and listens: a dialogue over stdin and stdout", function* () {
  const program = shell(`while read line; do echo "got $line"; done; echo over`, {
    stdin: STREAM,
    stdout: STREAM,
  });
  for (const word of ["one", "two"]) {
    program.stdin!.write(`${word}\n`);
    assertEquals(decoder.decode(yield* program.stdout!.readUntil("\n")), `got ${word}\n`);
  }
  assertEquals([program.stderr, program.returncode], [null, null]);
  program.stdin!.close();
  assertEquals(decoder.decode(yield* program.stdout!.readUntilClose()), "over\n");
  assertEquals(yield* program.waitForExit(), 0);
  assertEquals(program.returncode, 0);
});

subprocessTest(
  "Subprocess given a name runs that without arguments; closing stdin ends it",
  function* () {
    const cat = new Subprocess("cat", { stdin: STREAM, stdout: STREAM });
    cat.stdin!.write("hello");
    cat.stdin!.close();
    assertEquals(decoder.decode(yield* cat.stdout!.readUntilClose()), "hello");
    assertEquals(yield* cat.waitForExit(), 0);
  },
);

subprocessTest("Subprocess keeps stderr apart from stdout", function* () {
  const program = shell("echo out; echo err >&2", { stdout: STREAM, stderr: STREAM });
  const [out, err] = yield* bothOf(program);
  assertEquals([out, err], ["out\n", "err\n"]);
  assertEquals([program.stdin, yield* program.waitForExit()], [null, 0]);
});

function* bothOf({ stdout, stderr }: Subprocess): CoroutineGenerator<[string, string]> {
  const out = stdout!.readUntilClose();
  const err = stderr!.readUntilClose();
  return [decoder.decode(yield* out), decoder.decode(yield* err)];
}

subprocessTest("Subprocess passes 4 MiB both ways, unchanged", function* () {
  const cat = new Subprocess("cat", { stdin: STREAM, stdout: STREAM });
  const data = new Uint8Array(4 << 20).map((_, at) => at * 7 + (at >> 11));
  const came = cat.stdout!.readUntilClose();
  yield* cat.stdin!.write(data);
  cat.stdin!.close();
  assertEquals(yield* came, data);
  assertEquals(yield* cat.waitForExit(), 0);
});

subprocessTest(
  "Subprocess that does not read its input fails the writing, not the process",
  function* () {
    const program = shell("exec <&-; echo closed; read line", { stdin: STREAM, stdout: STREAM });
    yield* program.stdout!.readUntil("closed\n");
    try {
      yield* program.stdin!.write(new Uint8Array(1 << 20));
      throw new Error("the write succeeded");
    } catch (error) {
      assert(error instanceof StreamClosedError, String(error));
      assert(error.realError instanceof Deno.errors.BrokenPipe, String(error.realError));
    }
    assert(program.stdin!.closed());
    program.stdout!.close();
    yield* program.waitForExit({ raiseError: false });
  },
);

subprocessTest("Subprocess whose output is not read on can be left", function* () {
  const program = shell("yes", { stdout: STREAM });
  yield* program.stdout!.readBytes(4);
  program.stdout!.close();
  assert((yield* program.waitForExit({ raiseError: false })) !== 0); // SIGPIPE, or its code
});

subprocessTest("Subprocess.waitForExit() fails with the code, unless told not to", function* () {
  const program = shell("exit 3");
  try {
    yield* program.waitForExit();
    throw new Error("it succeeded");
  } catch (error) {
    assert(error instanceof CalledProcessError, String(error));
    assertEquals([error.name, error.returncode], ["CalledProcessError", 3]);
    assertEquals(error.command, ["sh", "-c", "exit 3"]);
    assertEquals(error.message, "Cannot go on without sh: it ended with 3");
  }
  assertEquals(yield* program.waitForExit({ raiseError: false }), 3);
  assertEquals(program.returncode, 3);
});

subprocessTest("Subprocess killed by a signal has the number of it, negative", function* () {
  for (const [signal, number] of [["SIGTERM", -15], ["SIGKILL", -9]] as const) {
    const program = shell("exec sleep 60");
    program.proc.kill(signal);
    assertEquals(yield* program.waitForExit({ raiseError: false }), number);
    yield assertRejects(
      () => Promise.resolve(program.waitForExit()),
      CalledProcessError,
      `it was killed by signal ${-number}`,
    );
    assertEquals(program.returncode, number);
  }
});

subprocessTest(
  "Subprocess that ignores SIGTERM runs on until SIGKILL; waiting can end before",
  function* () {
    const program = shell("trap 'echo ignored' TERM; echo up; while :; do sleep 0.05; done", {
      stdout: STREAM,
    });
    yield* program.stdout!.readUntil("up\n");
    const waiting = program.waitForExit();
    program.proc.kill("SIGTERM");
    yield* program.stdout!.readUntil("ignored\n");
    assertEquals([waiting.done(), program.returncode], [false, null]);
    try {
      yield* withTimeout(1, waiting);
      throw new Error("it ended");
    } catch (error) {
      assert(error instanceof TimeoutError, String(error));
    }
    assertThrows(() => waiting.result(), CancelledError);
    program.proc.kill("SIGKILL");
    assertEquals(yield* program.waitForExit({ raiseError: false }), -9);
    program.stdout!.close();
  },
);

subprocessTest(
  "Subprocess.setExitCallback() is called in the loop, also after the end",
  function* () {
    const program = shell("exit 4");
    const codes: unknown[] = [];
    const loop = IOLoop.current();
    const called = Promise.withResolvers<void>();
    program.setExitCallback(() => codes.push("replaced"));
    program.setExitCallback((code) => {
      codes.push(code, program.returncode, IOLoop.current() === loop);
      called.resolve();
    });
    yield called.promise;
    assertEquals(codes, [4, 4, true]);
    const again = Promise.withResolvers<number>();
    program.setExitCallback(again.resolve);
    assertEquals(codes.length, 3);
    assertEquals(yield again.promise, 4);
  },
);

subprocessTest("Subprocess runs in `cwd`, with `env` besides its own environment", function* () {
  const program = shell(`echo "$PWD $WORD $HOME"`, {
    cwd: "/",
    env: { WORD: "word" },
    stdout: STREAM,
  });
  assertEquals(
    decoder.decode(yield* program.stdout!.readUntilClose()),
    `/ word ${Deno.env.get("HOME") ?? ""}\n`,
  );
  assert(program.pid > 0);
  yield* program.waitForExit();
});

subprocessTest(
  "Subprocess of a program, or in a directory, that is not there names it",
  function* () {
    assertThrows(() => new Subprocess("no-such-program"), Deno.errors.NotFound, "no-such-program");
    assertThrows(() => shell(":", { cwd: "/no/such" }), Deno.errors.NotFound, "/no/such");
    for (const command of ["", [], [""]]) {
      assertThrows(() => new Subprocess(command), TypeError, "the command is empty");
    }
    yield null;
  },
);
