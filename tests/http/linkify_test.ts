import { assert, assertEquals } from "@std/assert";
import { linkify, type LinkifyOptions } from "../../http/linkify.ts";

const CASES: [text: string, html: string, options?: LinkifyOptions][] = [
  ["hello http://world.com/!", 'hello <a href="http://world.com/">http://world.com/</a>!'],
  ["http://a.com/?a=b&c=d.", '<a href="http://a.com/?a=b&amp;c=d">http://a.com/?a=b&amp;c=d</a>.'],
  ["(http://a.com/x)", '(<a href="http://a.com/x">http://a.com/x</a>)'],
  [
    "http://a.com/foo_(bar)_baz (x)",
    '<a href="http://a.com/foo_(bar)_baz">http://a.com/foo_(bar)_baz</a> (x)',
  ],
  ["http://a.com/foo_(bar)", '<a href="http://a.com/foo_(bar)">http://a.com/foo_(bar)</a>'],
  ["http://a.com/foo_(bar", '<a href="http://a.com/foo_">http://a.com/foo_</a>(bar'],
  ["<http://a.com/>", '&lt;<a href="http://a.com/">http://a.com/</a>&gt;'],
  ['"http://a.com/"', '&quot;<a href="http://a.com/">http://a.com/</a>&quot;'],
  ["http://a.com/é?x=…y", '<a href="http://a.com/é?x=…y">http://a.com/é?x=…y</a>'],
  ["www.a.com, www.", '<a href="http://www.a.com">www.a.com</a>, www.'],
  ["xwww.a.com", "xwww.a.com"],
  ["http:// ://a http:", "http:// ://a http:"],
  ["--http://a", '--<a href="http://a">http://a</a>'],
  ["www.a.com http://b.com", 'www.a.com <a href="http://b.com">http://b.com</a>', {
    requireProtocol: true,
  }],
  ["javascript:///x ftp://b", "javascript:///x ftp://b"],
  ["x-call://b http://c", '<a href="x-call://b">x-call://b</a> http://c', {
    permittedProtocols: ["x-call"],
  }],
  ["http://a", '<a href="http://a" rel="nofollow">http://a</a>', {
    extraParams: ' rel="nofollow" ',
  }],
  ["http://a/?b&c", '<a href="http://a/?b&amp;c" class="14">http://a/?b&amp;c</a>', {
    extraParams: (href) => ` class="${href.length + 1}"`,
  }],
  [
    "http://www.example.com/2009/12/a-very-long-title.html?x=y",
    '<a href="http://www.example.com/2009/12/a-very-long-title.html?x=y" ' +
    'title="http://www.example.com/2009/12/a-very-long-title.html?x=y">http://www.example.com/2009...</a>',
    { shorten: true },
  ],
  [
    `http://${"a".repeat(60)}.com`,
    `<a href="http://${"a".repeat(60)}.com" title="http://${"a".repeat(60)}.com">http://${
      "a".repeat(23)
    }...</a>`,
    { shorten: true },
  ],
  ["http://a.com/short", '<a href="http://a.com/short">http://a.com/short</a>', { shorten: true }],
  [
    "http://www.example.com/12345678",
    '<a href="http://www.example.com/12345678">http://www.example.com/12345678</a>',
    {
      shorten: true,
    },
  ],
];

Deno.test("linkify() makes links and escapes the rest", () => {
  for (const [text, html, options] of CASES) assertEquals(linkify(text, options), html);
});

Deno.test("linkify() takes linear time", () => {
  const start = performance.now();
  for (
    const part of ["(", ")", "www.", "http://", "a-", "://", "x:/(", "www.(", "http://a(b ", "a.!,"]
  ) {
    linkify(`http://a${part.repeat(30_000)}`);
    linkify(part.repeat(30_000));
  }
  assert(performance.now() - start < 10_000);
});
