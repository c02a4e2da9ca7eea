// One server in many variants: each adds or takes away one thing that protects the server or its
// user.
//
//   safety.ts <port> <variant> [folder for files]
import type { CoroutineGenerator } from "@waterspout/waterspout/gen";
import { IOLoop } from "@waterspout/waterspout/ioloop";
import {
  enablePrettyLogging,
  runServer,
  type RunServerOptions,
} from "@waterspout/waterspout/process";
import {
  Application,
  type ApplicationSettings,
  type HandlerClass,
  RequestHandler,
} from "@waterspout/waterspout/web";
import { type CompressionOptions, WebSocketHandler } from "@waterspout/waterspout/websocket";

const MINUTE = 60_000;
const PAUSES = 3;

const GREETING = "Hello, world";
const COOKIE = "user";

class Greeting extends RequestHandler {
  override get(): void {
    this.write(GREETING);
  }

  override post(): void {
    this.write(String(this.request.body.length));
  }
}

class Untagged extends Greeting {
  override computeEtag(): null {
    return null;
  }
}

class Timed extends Greeting {
  static override timeout = MINUTE;
}

/** Waits some turns, so that its client might leave while it works. */
class Waiting extends RequestHandler {
  override *get(): CoroutineGenerator {
    for (let i = 0; i < PAUSES; i++) yield null;
    this.write(GREETING);
  }
}

class Uncancelled extends Waiting {
  static override CANCEL_ON_DISCONNECT = false;
}

/** Tells the token, or takes it. */
class Form extends RequestHandler {
  override get(): void {
    this.write(this.xsrfToken);
  }

  override post(): void {
    this.write(String(this.request.body.length));
  }
}

/** Gives the cookie; whoever has it is greeted. */
class Plain extends RequestHandler {
  override get(): void {
    if (this.getCookie(COOKIE) === null) this.setSignedCookie(COOKIE, "somebody");
    this.write(GREETING);
  }
}

class Signed extends RequestHandler {
  override get(): void {
    if (this.getSignedCookie(COOKIE) === null) this.setSignedCookie(COOKIE, "somebody");
    this.write(GREETING);
  }
}

class Echo extends WebSocketHandler {
  override onMessage(message: string | Uint8Array): void {
    this.writeMessage(message);
  }
}

class DeflatedEcho extends Echo {
  override getCompressionOptions(): CompressionOptions {
    return {};
  }
}

/** What a variant changes. */
interface Variant {
  readonly handler?: HandlerClass;
  readonly options?: RunServerOptions;
  readonly settings?: ApplicationSettings;
  /** Is called before the server starts. */
  readonly prepare?: (folder: string) => void;
}

const UNTIMED: RunServerOptions = {
  headerTimeout: Infinity,
  idleConnectionTimeout: Infinity,
  writeTimeout: Infinity,
};
const UNLIMITED: RunServerOptions = {
  maxHeaderSize: Infinity,
  maxHeaderCount: Infinity,
  maxChunkLineSize: Infinity,
  maxBodySize: Infinity,
};
const UNLIMITED_MESSAGES: ApplicationSettings = {
  websocketMaxMessageSize: Infinity,
  websocketMaxWriteBufferSize: Infinity,
};

const VARIANTS: Readonly<Record<string, Variant>> = {
  defaults: {},
  untimed: { options: UNTIMED },
  unlimited: { options: UNLIMITED },
  untagged: { handler: Untagged },
  bare: { handler: Untagged, options: { ...UNTIMED, ...UNLIMITED } },
  bodyTimeout: { options: { bodyTimeout: MINUTE } },
  handlerTimeout: { handler: Timed },
  waiting: { handler: Waiting },
  uncancelled: { handler: Uncancelled },
  form: { handler: Form },
  xsrf: { handler: Form, settings: { xsrfCookies: true } },
  plainCookie: { handler: Plain },
  signedCookie: { handler: Signed },
  logged: { prepare: () => enablePrettyLogging({ level: "info", write: () => {} }) },
  loggedToFile: {
    prepare: (folder) => {
      const values = {
        logging: "info",
        logToStderr: false,
        logFilePrefix: `${folder}/access.log`,
        logFileMaxSize: 10_000_000,
        logFileNumBackups: 1,
        logRotateWhen: "midnight",
        logRotateInterval: 1,
        logRotateMode: "size",
      };
      enablePrettyLogging({ options: { values } });
    },
  },
  traced: { prepare: () => IOLoop.current().trace.start() },
  watched: { prepare: () => IOLoop.current().setBlockingLogThreshold(1000) },
  echo: { handler: Echo },
  unpinged: { handler: Echo, settings: { websocketPingInterval: 0 } },
  unlimitedEcho: { handler: Echo, settings: UNLIMITED_MESSAGES },
  deflatedEcho: { handler: DeflatedEcho },
  unlimitedDeflatedEcho: { handler: DeflatedEcho, settings: UNLIMITED_MESSAGES },
};

const [port, name, folder = "."] = Deno.args;
const variant = VARIANTS[name!];
if (variant === undefined) throw new RangeError(`Cannot serve "${name}": there is no such variant`);
const { handler = Greeting, options = {}, settings = {}, prepare } = variant;
prepare?.(folder);

await runServer(
  new Application([["/", handler]], { cookieSecret: "a secret of the benchmark", ...settings }),
  {
    ...options,
    port: Number(port),
    onListen: () => {
      Deno.stdout.writeSync(new TextEncoder().encode("listening\n"));
    },
  },
);
