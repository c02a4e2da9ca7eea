// A queue of URLs and a number of workers that take from it and put into it what they find: the
// crawl is at its end when everything that was put is marked as done. Below that, a semaphore for
// each origin keeps the workers from falling upon one server all at once.
import {
  coroutine,
  type CoroutineGenerator,
  locks,
  Multi,
  queues,
  race,
} from "@waterspout/waterspout/gen";
import {
  HTTPClientError,
  type HTTPResponse,
  type SimpleAsyncHTTPClient,
} from "@waterspout/waterspout/http";
import { linksIn } from "./links.ts";

/** Options of {@linkcode Spider}. */
export interface SpiderOptions {
  /**
   * How many fetches are in progress at a time.
   *
   * @default {10}
   */
  workers?: number;
  /**
   * How many of them ask the same origin.
   *
   * @default {6}
   */
  perOrigin?: number;
  /**
   * How many pages are fetched at most.
   *
   * @default {10000}
   */
  maxPages?: number;
  /**
   * The ms that a page may take.
   *
   * @default {10000}
   */
  timeout?: number;
}

/** Is a link that leads nowhere. */
export interface BrokenLink {
  readonly url: string;
  /** The page that it was found on first; null for one to start from. */
  readonly from: string | null;
  readonly reason: string;
}

/** Says what a crawl found. */
export interface Report {
  readonly pages: number;
  readonly bytes: number;
  /** In the order of their URLs. */
  readonly broken: readonly BrokenLink[];
  /** Links to other sites, which were not followed. */
  readonly external: number;
  /** The page that took longest, and its ms. */
  readonly slowest: { readonly url: string; readonly ms: number } | null;
  /** Whether there were more pages than it may fetch. */
  readonly cut: boolean;
}

/** Tells a site that did not answer, or could not show who it is, from a fault of this program. */
function isFailedFetch(error: unknown): error is Error {
  return error instanceof HTTPClientError || error instanceof Deno.errors.InvalidData;
}

/** Follows the links of some sites, and no links that lead out of them. */
export class Spider {
  readonly #client: SimpleAsyncHTTPClient;
  readonly #workers: number;
  readonly #perOrigin: number;
  readonly #maxPages: number;
  readonly #timeout: number;

  readonly #queue = new queues.Queue<{ url: string; from: string | null }>();
  readonly #permits = new Map<string, locks.Semaphore>(); // by origin; others are not followed
  readonly #known = new Set<string>();
  readonly #external = new Set<string>();
  readonly #broken: BrokenLink[] = [];
  #pages = 0;
  #bytes = 0;
  #slowest: Report["slowest"] = null;
  #cut = false;

  /** Takes the client, which should have room for as many fetches as there are workers. */
  constructor(
    client: SimpleAsyncHTTPClient,
    { workers = 10, perOrigin = 6, maxPages = 10_000, timeout = 10_000 }: SpiderOptions = {},
  ) {
    this.#client = client;
    this.#workers = workers;
    this.#perOrigin = perOrigin;
    this.#maxPages = maxPages;
    this.#timeout = timeout;
  }

  /** Crawls from `starts` on; to be called once. */
  *crawl(starts: readonly string[]): CoroutineGenerator<Report> {
    for (const start of starts) {
      this.#permits.set(new URL(start).origin, new locks.Semaphore(this.#perOrigin));
    }
    for (const start of starts) this.#find(new URL(start).href, null);
    const work = coroutine(this.#work.bind(this));
    const workers = Array.from({ length: this.#workers }, () => work());
    yield* race([this.#queue.join(), Multi(workers)]); // the workers never end by themselves
    return {
      pages: this.#pages,
      bytes: this.#bytes,
      broken: this.#broken.sort((a, b) => (a.url < b.url ? -1 : 1)),
      external: this.#external.size,
      slowest: this.#slowest,
      cut: this.#cut,
    };
  }

  #find(url: string, from: string | null): void {
    if (!this.#permits.has(new URL(url).origin)) this.#external.add(url);
    else if (this.#known.has(url)) return;
    else if (this.#known.size === this.#maxPages) this.#cut = true;
    else {
      this.#known.add(url);
      this.#queue.putNowait({ url, from });
    }
  }

  *#work(): CoroutineGenerator<never> {
    for (;;) {
      const { url, from } = yield* this.#queue.get();
      {
        using _permit = yield* this.#permits.get(new URL(url).origin)!.acquire();
        try {
          const response = yield* this.#client.fetch(url, {
            followRedirects: false, // where it leads is a link as any other
            requestTimeout: this.#timeout,
            raiseError: false,
          });
          this.#take(response, url, from);
        } catch (error) {
          if (!isFailedFetch(error)) throw error;
          this.#broken.push({ url, from, reason: error.message }); // there was no whole answer
        }
      }
      this.#queue.taskDone(); // not in a `finally`: a worker that fails ends the crawl
    }
  }

  #take(response: HTTPResponse, url: string, from: string | null): void {
    const { code, reason, headers, body, requestTime } = response;
    if (code >= 300 && code < 400 && headers.has("Location")) {
      const to = URL.parse(headers.get("Location")!, url);
      if (to !== null) this.#find(to.href, url);
    } else if (code >= 300) this.#broken.push({ url, from, reason: `${code} ${reason}` });
    else {
      this.#pages++;
      this.#bytes += body.length;
      if (this.#slowest === null || requestTime > this.#slowest.ms) {
        this.#slowest = { url, ms: requestTime };
      }
      if (!headers.get("Content-Type")?.startsWith("text/html")) return;
      for (const link of linksIn(new TextDecoder().decode(body), url)) this.#find(link, url);
    }
  }
}
