import { HTTPError, type RequestHandler } from "@waterspout/waterspout/web";

/** Is a line of the guest book. */
export interface Guest {
  readonly name: string;
}

/** Reads the name that somebody signs with; each has a line of its own. */
export function nameOfGuest(handler: RequestHandler): string {
  const name = handler.getBodyArgument("name");
  if (/[\r\n\0]/.test(name)) throw new HTTPError(400, "expected a name");
  return name;
}
