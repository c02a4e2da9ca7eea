import type { ConnectionLimits } from "./_server_connection.ts";

/** Says how a connection is served; every limit is on by default. */
export interface HTTP1ConnectionParameters {
  /**
   * Whether every answer closes its connection.
   *
   * @default {false}
   */
  noKeepAlive?: boolean;
  /**
   * The most bytes of a body that a delegate is given at a time.
   *
   * @default {65536}
   */
  chunkSize?: number;
  /**
   * The most bytes of a start line with its header fields; more is answered with 431, or
   * 414 when it is the start line.
   *
   * @default {65536}
   */
  maxHeaderSize?: number;
  /**
   * The most header fields; more is answered with 431.
   *
   * @default {1000}
   */
  maxHeaderCount?: number;
  /**
   * The most bytes of a chunk's size with its extension.
   *
   * @default {64}
   */
  maxChunkLineSize?: number;
  /**
   * The most bytes of a body, by default the stream's `maxBufferSize`; more is answered with
   * 413.
   */
  maxBodySize?: number;
  /**
   * The ms between requests, and before the first, after which a connection is closed.
   *
   * @default {3600000}
   */
  idleConnectionTimeout?: number;
  /**
   * The ms for a whole head, from its first byte; then the answer is 408.
   *
   * @default {60000}
   */
  headerTimeout?: number;
  /** The ms for a whole body; without it there is no limit. */
  bodyTimeout?: number;
  /**
   * The ms in which a client must take something of what is written to it.
   *
   * @default {60000}
   */
  writeTimeout?: number;
  /**
   * Whether bodies in gzip are decompressed; limits then count what comes out.
   *
   * @default {false}
   */
  decompress?: boolean;
}

/** Fills in the defaults. */
export function limitsOf(
  parameters: HTTP1ConnectionParameters,
  maxBufferSize: number,
): ConnectionLimits {
  return {
    noKeepAlive: parameters.noKeepAlive ?? false,
    chunkSize: parameters.chunkSize ?? 65536,
    decompress: parameters.decompress ?? false,
    maxHeaderSize: parameters.maxHeaderSize ?? 65536,
    maxHeaderCount: parameters.maxHeaderCount ?? 1000,
    maxChunkLineSize: parameters.maxChunkLineSize ?? 64,
    maxBodySize: parameters.maxBodySize ?? maxBufferSize,
    idleConnectionTimeout: parameters.idleConnectionTimeout ?? 3_600_000,
    headerTimeout: parameters.headerTimeout ?? 60_000,
    bodyTimeout: parameters.bodyTimeout ?? Infinity,
    writeTimeout: parameters.writeTimeout ?? 60_000,
  };
}
