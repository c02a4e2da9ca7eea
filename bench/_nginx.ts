import { pinned, SERVER_CPU } from "./_pinning.ts";
import { listens, unusedPort } from "./_ports.ts";

/** nginx with one small answer, until it is disposed of. */
export class Nginx implements AsyncDisposable {
  /** The port that it listens on, at 127.0.0.1. */
  readonly port: number;
  readonly #child: Deno.ChildProcess;
  readonly #folder: string;

  private constructor(port: number, child: Deno.ChildProcess, folder: string) {
    this.port = port;
    this.#child = child;
    this.#folder = folder;
  }

  /** Starts it and waits until it listens. */
  static async start(): Promise<Nginx> {
    const folder = await Deno.makeTempDir();
    const port = unusedPort();
    await Deno.writeTextFile(
      `${folder}/nginx.conf`,
      `daemon off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log;
      events { worker_connections 1024; }
      http {
        access_log off; keepalive_requests 100000000;
        client_body_temp_path ${folder}; proxy_temp_path ${folder};
        fastcgi_temp_path ${folder}; uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
        server { listen 127.0.0.1:${port}; location / { return 200 "Hello, world"; } }
      }`,
    );
    const config = ["-p", folder, "-e", `${folder}/error.log`, "-c", `${folder}/nginx.conf`];
    const [program, ...args] = await pinned(SERVER_CPU, ["nginx", ...config]);
    const child = new Deno.Command(program!, { args }).spawn();
    const nginx = new Nginx(port, child, folder);
    if (await listens(port)) return nginx;
    await nginx[Symbol.asyncDispose]();
    throw new Error("Cannot start nginx: it does not listen");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.status;
    await Deno.remove(this.#folder, { recursive: true });
  }
}
