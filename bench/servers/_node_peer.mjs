// What peers on node:http share: the port, TLS, and two processes on one port.
import cluster from "node:cluster";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import process from "node:process";

const [port, mode = "plain", folder = "."] = process.argv.slice(2);

/** The folder of the static files. */
export const FOLDER = folder;

/** Makes the server that the command line asks for. */
export function makeServer(handler) {
  if (mode !== "tls") return createServer(handler);
  const cert = readFileSync(`${folder}/cert.pem`);
  const key = readFileSync(`${folder}/key.pem`);
  return createTlsServer({ cert, key }, handler);
}

/** Has `listen` listen on a port, in two processes where that is asked for; then prints a line. */
export function listenPeer(listen) {
  if (mode === "group" && cluster.isPrimary) {
    for (let i = 0; i < 2; i++) cluster.fork();
    cluster.once("listening", tell);
  } else {
    listen({ port: Number(port), host: "127.0.0.1" }, () => {
      if (!cluster.isWorker) tell();
    });
  }
}

function tell() {
  process.stdout.write("listening\n");
}

/** Writes an answer in pieces, none before the last was taken. */
export async function writeStream(response, chunk, count) {
  for (let i = 0; i < count; i++) {
    await new Promise((resolve) => response.write(chunk, resolve));
  }
  response.end();
}
