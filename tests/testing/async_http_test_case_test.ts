import { X509Certificate } from "node:crypto";
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { type CoroutineGenerator, sleep } from "../../gen/mod.ts";
import {
  HTTPClientError,
  HTTPHeaders,
  HTTPServer,
  type HTTPServerOptions,
} from "../../http/mod.ts";
import { Application, RequestHandler } from "../../web/mod.ts";
import {
  AsyncHTTPSTestCase,
  AsyncHTTPTestCase,
  bindUnusedPort,
  expectLog,
} from "../../testing/mod.ts";

class Where extends RequestHandler {
  override get(): void {
    this.write(`${this.request.protocol} ${this.getArgument("name", "nobody")}`);
  }
}

class Slow extends RequestHandler {
  static ended = 0;

  override *get(): CoroutineGenerator {
    try {
      yield* sleep(60_000);
    } finally {
      Slow.ended++;
    }
  }
}

const routes = [["/", Where], ["/slow", Slow]] as const;

class Plain extends AsyncHTTPTestCase {
  static last: Plain | null = null;

  override getApp(): Application {
    Plain.last = this;
    return new Application([...routes]);
  }

  *testPath(): CoroutineGenerator {
    const response = yield* this.fetch("/?name=me");
    assertEquals([response.code, response.text()], [200, "http me"]);
    assertEquals(this.getUrl("/x"), `http://127.0.0.1:${this.getHttpPort()}/x`);
  }

  async testAsync(): Promise<void> {
    assertEquals((await this.fetch("/")).text(), "http nobody");
  }

  async testStatusIsNoError(): Promise<void> {
    await expectLog(["waterspout", "access"], /^404 GET \/nowhere/, async () => {
      assertEquals((await this.fetch("/nowhere")).code, 404);
    });
    await assertRejects(
      async () => await this.fetch("/nowhere", { raiseError: true }),
      HTTPClientError,
      "404",
    );
  }

  *testUrlOfAnotherServer(): CoroutineGenerator {
    const other = new HTTPServer(({ connection }) => {
      connection.writeHeaders({ code: 299 }, new HTTPHeaders(), "");
      connection.finish();
    });
    const { listener, port } = bindUnusedPort();
    other.addListener(listener);
    const response = yield* this.fetch(`http://127.0.0.1:${port}/`);
    assertEquals(response.code, 299);
    assertEquals((yield* this.fetch("/")).code, 200);
    other.stop();
    yield* other.closeAllConnections();
  }

  *testRequestInProgress(): CoroutineGenerator {
    this.fetch("/slow").catch(() => {}); // the test ends before it does
    yield* sleep(20);
  }
}
Plain.register();

Deno.test("AsyncHTTPTestCase lets go of server and client when a test is over", async () => {
  const ended = Slow.ended;
  await new Plain().run("testRequestInProgress");
  assertEquals(Slow.ended, ended + 1);
  const { httpServer, httpClient } = Plain.last!;
  const port = Plain.last!.getHttpPort();
  assertEquals(httpServer.addresses, []);
  await assertRejects(() => Deno.connect({ port }));
  await assertRejects(async () => await httpClient.fetch("http://127.0.0.1/"), Error, "closed");
});

Deno.test("AsyncHTTPTestCase lets go of them though an override of tearDown() forgets", async () => {
  class Forgetful extends Plain {
    override tearDown(): void {}
  }
  const test = new Forgetful();
  await test.run("testPath");
  await assertRejects(() => Deno.connect({ port: test.getHttpPort() }));
});

Deno.test("AsyncHTTPTestCase closes its port when getApp() throws", async () => {
  class Broken extends Plain {
    override getApp(): Application {
      throw new RangeError("no application");
    }
  }
  await assertRejects(() => new Broken().run("testPath"), RangeError, "no application");
});

Deno.test("AsyncHTTPTestCase gives getHttpserverOptions() to the server", async () => {
  class Limited extends Plain {
    override getHttpserverOptions(): HTTPServerOptions {
      return { maxHeaderSize: 200 };
    }
    *testLimit(): CoroutineGenerator {
      const response = yield* this.fetch("/", { headers: { "X-Long": "x".repeat(300) } });
      assertEquals(response.code, 431);
    }
  }
  await new Limited().run("testLimit");
});

class Secure extends AsyncHTTPSTestCase {
  override getApp(): Application {
    return new Application([...routes]);
  }

  *testFetch(): CoroutineGenerator {
    assertMatch(this.getUrl("/"), /^https:\/\/127\.0\.0\.1:\d+\/$/);
    assertEquals((yield* this.fetch("/?name=me")).text(), "https me");
  }

  async testTrust(): Promise<void> {
    const { cert } = this.getSslOptions() as { cert: string };
    const options = { validateCert: true, raiseError: true };
    await assertRejects(async () => await this.fetch("/", options), Deno.errors.InvalidData);
    const response = await this.fetch("/", { ...options, caCerts: cert });
    assertEquals(response.text(), "https nobody");
  }
}
Secure.register();

Deno.test("AsyncHTTPSTestCase.defaultSslOptions() is a certificate for this machine", () => {
  const { cert, key } = AsyncHTTPSTestCase.defaultSslOptions();
  const certificate = new X509Certificate(cert!);
  assertEquals(
    certificate.subjectAltName,
    "DNS:localhost, IP Address:127.0.0.1, IP Address:::1",
  );
  assert(certificate.verify(certificate.publicKey));
  assert(Date.parse(certificate.validFrom) < Date.now());
  assert(Date.parse(certificate.validTo) > Date.now() + 86_400_000);
  assertMatch(key!, /^-----BEGIN PRIVATE KEY-----/);
  assert(AsyncHTTPSTestCase.defaultSslOptions().cert === cert);
});
