import { ServedExample } from "./_served_example.ts";

/** Starts the blog with a new database in `directory`. */
export function startBlog(directory: string): Promise<ServedExample> {
  const database = `${directory}/blog.db`;
  return ServedExample.start("blog/main.ts", ["--database", database], {
    permissions: [
      "--allow-net",
      "--allow-env",
      "--allow-read",
      `--allow-write=${database},${database}-journal`,
    ],
    env: { BLOG_COOKIE_SECRET: "a secret for tests" },
  });
}
