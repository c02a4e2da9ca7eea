import type { CoroutineGenerator } from "@waterspout/waterspout/gen";
import {
  authenticated,
  getLocale,
  HTTPError,
  type Locale,
  RequestHandler,
  type Route,
  UIModule,
  url,
} from "@waterspout/waterspout/web";
import type { Author, Entry } from "./database.ts";
import { renderMarkdown } from "./markdown.ts";
import type { Store } from "./store.ts";

const COOKIE = "blog_author";
const ON_FIRST_PAGE = 5;
const IN_ARCHIVE = 1000;
const MIN_PASSWORD = 8;
const MAX_PASSWORD = 1000; // scrypt takes any, but not for nothing

const LANGUAGES: readonly string[] = ["en_US", "de"];

abstract class BlogHandler extends RequestHandler {
  get store(): Store {
    return this.settings["store"] as Store;
  }

  // Asks who it is before the method is called: getCurrentUser() could not wait for that.
  override *prepare(): CoroutineGenerator {
    const id = this.getSignedCookie(COOKIE);
    const author = id === null ? null : yield* this.store.author();
    this.currentUser = author !== null && String(author.id) === text(id!) ? author : null;
  }

  // Who chose a language gets it, the others get what their browser asks for.
  override getUserLocale(): Locale | null {
    const chosen = this.getCookie("language");
    return chosen !== null && LANGUAGES.includes(chosen) ? getLocale(chosen) : null;
  }

  signIn({ id }: Pick<Author, "id">): void {
    this.setSignedCookie(COOKIE, String(id), {
      httpOnly: true,
      sameSite: "Lax",
      secure: this.request.protocol === "https",
    });
    this.goTo(this.getArgument("next", "/"));
  }

  /** Goes to a page of this site: who made the link may want another one. */
  goTo(target: string): void {
    const { origin } = new URL(this.request.fullUrl());
    const goal = URL.canParse(target, origin) ? new URL(target, origin) : null;
    const path = goal?.origin === origin ? goal.pathname + goal.search : "/";
    this.redirect(path.replace(/^\/+/, "/"), { status: 303 }); // "//name" is another site
  }
}

class HomeHandler extends BlogHandler {
  override *get(): CoroutineGenerator {
    const entries = yield* this.store.entries(ON_FIRST_PAGE);
    const isNew = entries.length === 0 && (yield* this.store.author()) === null;
    this.render("home.html", { entries, isNew });
  }
}

class ArchiveHandler extends BlogHandler {
  override *get(): CoroutineGenerator {
    this.render("archive.html", { entries: yield* this.store.entries(IN_ARCHIVE) });
  }
}

class EntryHandler extends BlogHandler {
  override *get(slug: string): CoroutineGenerator {
    const entry = yield* this.store.entry(slug);
    if (entry === null) throw new HTTPError(404);
    this.render("entry.html", { entry });
  }
}

class ComposeHandler extends BlogHandler {
  @authenticated
  override *get(): CoroutineGenerator {
    const slug = this.getArgument("slug", null);
    const entry = slug === null ? null : yield* this.store.entry(slug);
    if (slug !== null && entry === null) throw new HTTPError(404);
    this.render("compose.html", { entry });
  }

  @authenticated
  override *post(): CoroutineGenerator {
    const title = this.getArgument("title");
    const markdown = this.getArgument("markdown");
    let slug = this.getArgument("slug", "");
    if (title === "") throw new HTTPError(400);
    if (slug === "") slug = yield* this.store.addEntry(title, markdown);
    else yield* this.store.changeEntry(slug, title, markdown);
    this.redirect(this.reverseUrl("entry", slug), { status: 303 });
  }
}

class SignUpHandler extends BlogHandler {
  override *get(): CoroutineGenerator {
    if ((yield* this.store.author()) !== null) this.redirect("/sign-in");
    else this.render("sign_up.html", { mistake: null });
  }

  override *post(): CoroutineGenerator {
    const name = this.getArgument("name");
    const password = this.getArgument("password", "", { strip: false });
    if (name === "" || password.length < MIN_PASSWORD || password.length > MAX_PASSWORD) {
      this.setStatus(400);
      this.render("sign_up.html", {
        mistake: "Give a name, and a password of 8 characters or more",
      });
      return;
    }
    const hash = yield* this.store.hashPassword(password);
    if (!(yield* this.store.addAuthor(name, hash))) throw new HTTPError(403);
    this.signIn({ id: 1 });
  }
}

class SignInHandler extends BlogHandler {
  override get(): void {
    this.render("sign_in.html", { mistake: null, next: this.getArgument("next", "/") });
  }

  override *post(): CoroutineGenerator {
    const name = this.getArgument("name");
    const password = this.getArgument("password", "", { strip: false }).slice(0, MAX_PASSWORD + 1);
    const author = yield* this.store.author();
    const known = author?.name === name ? author : null;
    const right = yield* this.store.isPassword(password, known?.password ?? null);
    if (known !== null && right) {
      this.signIn(known);
      return;
    }
    this.setStatus(403);
    const next = this.getArgument("next", "/");
    this.render("sign_in.html", { mistake: "Name or password is wrong", next });
  }
}

class SignOutHandler extends BlogHandler {
  override post(): void {
    this.clearCookie(COOKIE, { httpOnly: true, sameSite: "Lax" });
    this.redirect("/", { status: 303 });
  }
}

class LanguageHandler extends BlogHandler {
  override post(): void {
    const language = this.getArgument("language");
    if (!LANGUAGES.includes(language)) throw new HTTPError(400);
    this.setCookie("language", language, { sameSite: "Lax", expiresDays: 365 });
    this.goTo(this.getArgument("next", "/"));
  }
}

/** Shows an entry, on its own page and among others. */
export class EntryModule extends UIModule {
  override render(entry: Entry): string {
    const html = renderMarkdown(entry.markdown);
    return this.renderString("modules/entry.html", { entry, html });
  }
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** The pages of the blog. */
export const ROUTES: readonly Route[] = [
  ["/", HomeHandler],
  ["/archive", ArchiveHandler],
  url("/entry/([^/]+)", EntryHandler, undefined, "entry"),
  ["/compose", ComposeHandler],
  ["/sign-up", SignUpHandler],
  ["/sign-in", SignInHandler],
  ["/sign-out", SignOutHandler],
  ["/language", LanguageHandler],
];
