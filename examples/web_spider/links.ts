import { xhtmlUnescape } from "@waterspout/waterspout/http";

const LINK_REGEXP = /<(?:a|area)\s(?:[^>]*?\s)?href\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+))/gi;
const COMMENT_REGEXP = /<!--[^]*?-->/g;

/** Returns the URLs, without their fragments, that a page at `base` leads to, each once. */
export function linksIn(html: string, base: string): string[] {
  const links = new Set<string>();
  for (const match of html.replaceAll(COMMENT_REGEXP, "").matchAll(LINK_REGEXP)) {
    const href = xhtmlUnescape(match[1] ?? match[2] ?? match[3]!).trim();
    const url = URL.parse(href, base);
    if (url === null || !/^https?:$/.test(url.protocol)) continue;
    url.hash = "";
    links.add(url.href);
  }
  return [...links];
}
