// Takes all descriptors of the process, lets a client connect meanwhile, gives them back, and
// prints how often the failure was logged and how many connections came.
import { configure } from "@logtape/logtape";
import { sleep } from "../../gen/mod.ts";
import { IOLoop } from "../../ioloop/mod.ts";
import { addAcceptHandler } from "../../iostream/mod.ts";

let logged = 0;
let accepted = 0;
await configure({
  sinks: { count: () => void logged++ },
  loggers: [
    { category: ["waterspout", "general"], sinks: ["count"] },
    { category: ["logtape", "meta"], sinks: [], lowestLevel: "error" },
  ],
});

// Deno opens a pipe for signals at some time, and panics when it cannot: let it be now.
const ignore = () => {};
Deno.addSignalListener("SIGUSR2", ignore);
Deno.removeSignalListener("SIGUSR2", ignore);

await new IOLoop().run(function* () {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const remove = addAcceptHandler(listener, (conn) => {
    accepted++;
    conn.close();
  });
  const held: Deno.FsFile[] = [];
  try {
    for (;;) held.push(Deno.openSync("/dev/null"));
  } catch {
    held.pop()!.close(); // one is for the client
  }
  const client: Deno.Conn = yield Deno.connect({ port: listener.addr.port });
  while (logged === 0) yield* sleep(10);
  yield* sleep(350); // several times as long as one wait for descriptors
  for (const file of held) file.close();
  while (accepted === 0) yield* sleep(10);
  client.close();
  remove();
  listener.close();
});
Deno.stdout.writeSync(new TextEncoder().encode(`logged ${logged}, accepted ${accepted}\n`));
