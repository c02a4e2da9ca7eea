import { IOStream, type IOStreamOptions, PipeIOStream } from "../../iostream/mod.ts";
import { memoryPair } from "../../testing/mod.ts";
import { type StreamPair, streamSuite } from "./_stream_suite.ts";

streamSuite("TCP", async (options) => await IOStream.pair(options));

streamSuite("memory", (options) => {
  const [one, other] = memoryPair();
  return [new IOStream(one, options), new IOStream(other, options)];
});

streamSuite("memory, in short reads and writes", (options) => {
  const [one, other] = memoryPair();
  for (const end of [one, other]) end.maxRead = end.maxWrite = 997;
  return [new IOStream(one, options), new IOStream(other, options)];
});

streamSuite("Unix socket", async (options) => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/socket`;
  const listener = Deno.listen({ transport: "unix", path });
  const one = new IOStream(null, options);
  const [other] = await Promise.all([listener.accept(), one.connect({ path })]);
  listener.close();
  return [one, new IOStream(other, options), () => Deno.remove(folder, { recursive: true })];
});

streamSuite("pipe", pipePair);

/** Two streams, each of which reads what a process passes on from the other. */
function pipePair(options: IOStreamOptions): StreamPair {
  const there = cat();
  const back = cat();
  return [
    new PipeIOStream({ readable: back.stdout, writable: there.stdin }, options),
    new PipeIOStream({ readable: there.stdout, writable: back.stdin }, options),
    () => Promise.all([there.status, back.status]),
  ];
}

function cat(): Deno.ChildProcess {
  return new Deno.Command("cat", { stdin: "piped", stdout: "piped" }).spawn();
}
