import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { SslContext, type SslOptions, sslOptionsToContext } from "../../iostream/mod.ts";
import { authority, client, localhost } from "./_certificates.ts";

async function withFiles(
  files: Record<string, string>,
  body: (pathOf: (name: string) => string) => unknown,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const pathOf = (name: string) => `${folder}/${name}`;
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(pathOf(name), text);
    }
    await body(pathOf);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("sslOptionsToContext() refuses an option it does not know, and says which it knows", () => {
  const options = { certfile: "cert.pem" } as SslOptions;
  const error = assertThrows(
    () => sslOptionsToContext(options),
    TypeError,
    '"certfile" is unknown',
  );
  assert(error.message.includes("certFile, keyFile, cert, key, caCerts"));
});

Deno.test("sslOptionsToContext() refuses what is no object, and an option of the wrong kind", () => {
  const wrong: [unknown, string][] = [
    [null, "expected an object of options, got null"],
    ["cert.pem", "expected an object of options"],
    [{ certFile: 3 }, "certFile must be string or object, got number"],
    [{ cert: null }, "cert must be string, got null"],
    [{ rejectUnauthorized: "no" }, "rejectUnauthorized must be boolean, got string"],
    [{ alpnProtocols: "http/1.1" }, "alpnProtocols must be object"],
    [{ alpnProtocols: [""] }, "alpnProtocols must be an array of names"],
    [{ alpnProtocols: ["x".repeat(256)] }, "alpnProtocols must be an array of names"],
    [{ minVersion: "TLSv1" }, 'minVersion must be one of TLSv1.2, TLSv1.3, got "TLSv1"'],
    [{ ciphers: "HIGH:!aNULL" }, 'the cipher "high" is unknown'],
  ];
  for (const [options, message] of wrong) {
    assertThrows(() => sslOptionsToContext(options as SslOptions), TypeError, message);
  }
  assertThrows(
    () =>
      sslOptionsToContext({ ...localhost, clientCert: "never" as "none" }, { serverSide: true }),
    TypeError,
    'clientCert must be one of none, optional, required, got "never"',
  );
});

Deno.test("sslOptionsToContext() takes names of up to 255 characters, and undefined for nothing", () => {
  const context = sslOptionsToContext(
    { alpnProtocols: ["x".repeat(255)], certFile: undefined } as unknown as SslOptions,
  );
  assertEquals(context.serverSide, false);
});

Deno.test("sslOptionsToContext() wants a certificate and a key for a server", () => {
  const server = (options: SslOptions) => () => sslOptionsToContext(options, { serverSide: true });
  assertThrows(server({}), TypeError, "a server needs certFile and keyFile, or cert and key");
  assertThrows(server({ cert: localhost.cert }), TypeError, "without keyFile or key");
  assertThrows(server({ key: localhost.key }), TypeError, "without certFile or cert");
  assertThrows(
    server({ ...localhost, certFile: "cert.pem" }),
    TypeError,
    "there are both cert and certFile",
  );
  assertEquals(server(localhost)().serverSide, true);
});

Deno.test("sslOptionsToContext() names the option whose file cannot be read, and keeps the kind of error", async () => {
  await withFiles({ "cert.pem": localhost.cert }, (pathOf) => {
    const missing = pathOf("missing.pem");
    const mistakes: [SslOptions, string][] = [
      [{ certFile: missing, key: localhost.key }, "cannot read the certFile"],
      [{ certFile: pathOf("cert.pem"), keyFile: missing }, "cannot read the keyFile"],
      [{ ...localhost, caCerts: missing }, "cannot read the caCerts"],
    ];
    for (const [options, message] of mistakes) {
      const error = assertThrows(
        () => sslOptionsToContext(options, { serverSide: true }),
        Deno.errors.NotFound,
        message,
      );
      assert(error.message.includes(missing));
    }
  });
});

Deno.test("sslOptionsToContext() refuses what is no PEM, and a key of another certificate", async () => {
  const server = (options: SslOptions) => () => sslOptionsToContext(options, { serverSide: true });
  assertThrows(
    server({ cert: "no certificate", key: localhost.key }),
    Deno.errors.InvalidData,
    "the certificate cannot be read as PEM",
  );
  assertThrows(
    server({ cert: localhost.cert, key: "no key" }),
    Deno.errors.InvalidData,
    "the key cannot be read as PEM",
  );
  assertThrows(
    server({ cert: localhost.cert, key: client.key }),
    Deno.errors.InvalidData,
    "the key is not the certificate's",
  );
  await withFiles({ "empty.pem": "" }, (pathOf) => {
    assertThrows(
      () => sslOptionsToContext({ caCerts: [authority.cert, pathOf("empty.pem")] }),
      Deno.errors.InvalidData,
      "no certificate in the caCerts",
    );
  });
});

Deno.test("sslOptionsToContext() refuses what would have no effect on its side", () => {
  assertThrows(
    () => sslOptionsToContext({ clientCert: "required", caCerts: authority.cert }),
    TypeError,
    "clientCert is for servers only",
  );
  for (const option of ["rejectUnauthorized", "checkHostname"] as const) {
    assertThrows(
      () => sslOptionsToContext({ ...localhost, [option]: false }, { serverSide: true }),
      TypeError,
      `${option} is for clients only`,
    );
  }
  assertThrows(
    () => sslOptionsToContext({ ...localhost, clientCert: "optional" }, { serverSide: true }),
    TypeError,
    'clientCert "optional" needs caCerts',
  );
});

Deno.test("sslOptionsToContext() takes paths, URLs and PEM", async () => {
  const files = { "cert.pem": localhost.cert, "key.pem": localhost.key, "ca.pem": authority.cert };
  await withFiles(files, (pathOf) => {
    const url = new URL(`file://${pathOf("ca.pem")}`);
    const context = sslOptionsToContext({
      certFile: pathOf("cert.pem"),
      keyFile: new URL(`file://${pathOf("key.pem")}`),
      caCerts: [pathOf("ca.pem"), url, authority.cert],
    }, { serverSide: true });
    assert(context instanceof SslContext);
  });
});

Deno.test("sslOptionsToContext() gives a context back, but not for the other side", () => {
  const context = sslOptionsToContext(localhost, { serverSide: true });
  assertStrictEquals(sslOptionsToContext(context, { serverSide: true }), context);
  assertThrows(
    () => sslOptionsToContext(context),
    TypeError,
    "was made for a server, expected one for a client",
  );
});

Deno.test("SslContext does not show the key where it is printed", () => {
  const context = sslOptionsToContext(localhost, { serverSide: true });
  assertEquals(Deno.inspect(context), "SslContext { server }");
});
