import { xhtmlEscape } from "@waterspout/waterspout/http";
import { Marked } from "marked";

const SAFE_URL_REGEXP = /^(?:https?:|mailto:|[/#])/i;

// What is HTML in the text is shown, not done; and no link is a script.
const marked = new Marked({
  async: false,
  renderer: { html: ({ text }) => xhtmlEscape(text) },
  walkTokens(token) {
    if (token.type !== "link" && token.type !== "image") return;
    if (!SAFE_URL_REGEXP.test(token["href"])) token["href"] = "#";
  },
});

/** Makes HTML of Markdown. */
export function renderMarkdown(text: string): string {
  return marked.parse(text) as string;
}
