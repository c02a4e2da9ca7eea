// Says what it reads, line by line: started by a test with pipes.
import { IOLoop } from "../../ioloop/mod.ts";
import { PipeIOStream, StreamClosedError } from "../../iostream/mod.ts";

await new IOLoop().run(function* () {
  const stdin = new PipeIOStream({ readable: Deno.stdin.readable });
  const stdout = new PipeIOStream({ writable: Deno.stdout.writable });
  try {
    for (;;) {
      const line = yield* stdin.readUntil("\n");
      yield* stdout.write("got ");
      yield* stdout.write(line);
    }
  } catch (error) {
    if (!(error instanceof StreamClosedError)) throw error;
    yield* stdout.write("end\n");
  }
});
