import { bindUnusedPort } from "../../testing/mod.ts";
import { run } from "./_programs.ts";

const PLACE = "/usr/lib/postgresql"; // where Debian has it, one folder for each version

function findPrograms(): string | null {
  try {
    const versions = [...Deno.readDirSync(PLACE)].map(({ name }) => Number(name));
    return `${PLACE}/${Math.max(...versions)}/bin`;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** The folder with the programs of PostgreSQL, null where there is none. */
export const postgresPrograms: string | null = findPrograms();

/** A server of PostgreSQL with a database of its own, which goes with it. */
export class PostgresServer implements AsyncDisposable {
  readonly url: string;
  readonly #directory: string;

  private constructor(directory: string, port: number) {
    this.#directory = directory;
    this.url = `postgres://tester@127.0.0.1:${port}/postgres`;
  }

  static async start(): Promise<PostgresServer> {
    const directory = await Deno.makeTempDir();
    if (Deno.uid() === 0) await run("chown", ["postgres", directory]);
    const { listener, port } = bindUnusedPort();
    listener.close();
    await asOrdinaryUser("initdb", ["-D", directory, "-U", "tester", "-A", "trust", "--no-sync"]);
    const options = `-p ${port} -k ${directory} -c listen_addresses=127.0.0.1 -c fsync=off`;
    const log = `${directory}/log`;
    await asOrdinaryUser("pg_ctl", ["-D", directory, "-l", log, "-w", "-o", options, "start"]);
    return new PostgresServer(directory, port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await asOrdinaryUser("pg_ctl", ["-D", this.#directory, "-w", "-m", "immediate", "stop"]);
    await Deno.remove(this.#directory, { recursive: true });
  }
}

// It refuses to work for root.
async function asOrdinaryUser(program: string, args: readonly string[]): Promise<void> {
  const path = `${postgresPrograms}/${program}`;
  if (Deno.uid() !== 0) await run(path, args);
  else await run("/usr/sbin/runuser", ["-u", "postgres", "--", path, ...args]);
}
