import { DENO } from "./_deno_command.ts";
import type { Peer } from "./_server_process.ts";

const PEERS: readonly Peer[] = [
  { name: "Waterspout", file: "waterspout.ts", command: DENO },
  { name: "Deno.serve", file: "deno_serve.ts", command: DENO },
];

/** What the runtime takes for reading and writing alone. */
const FLOOR: Peer = { name: "raw Deno.Conn", file: "raw_conn.ts", command: DENO };

/** Gives the peers that latency and growth are measured of, or those of them that are `wanted`. */
export function pacedPeers(wanted: readonly string[] | null): readonly Peer[] {
  return PEERS.filter(({ name }) => wanted?.includes(name) ?? true);
}

/** Gives the floor, if it is `wanted`. */
export function floorPeers(wanted: readonly string[] | null): readonly Peer[] {
  return [FLOOR].filter(({ name }) => wanted?.includes(name) ?? true);
}
