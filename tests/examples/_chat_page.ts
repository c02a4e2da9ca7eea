import type { Page } from "playwright-core";

/** Waits for so many lines of a page, and gives all. */
export async function seen(page: Page, count: number): Promise<string[]> {
  await page.locator("#lines li").nth(count - 1).waitFor();
  return await page.locator("#lines li").allTextContents();
}

/** Waits until a page says so of its connection. */
export function status(page: Page, text: string): Promise<void> {
  return page.getByRole("status").getByText(text, { exact: true }).waitFor();
}
