import type { PageModuleClass, UIMethod } from "./page_module.ts";
import { LinkifyModule, TemplateModule, UIModule, XsrfFormHtmlModule } from "./ui_module.ts";

/** Returns the built-in modules, and the classes in a setting; others in it are no modules. */
export function collectUIModules(setting: unknown): Record<string, PageModuleClass> {
  const modules: Record<string, PageModuleClass> = {
    __proto__: null!,
    linkify: LinkifyModule,
    xsrfFormHtml: XsrfFormHtmlModule,
    // deno-lint-ignore camelcase -- as templates that were written for Tornado name it
    xsrf_form_html: XsrfFormHtmlModule,
    Template: TemplateModule,
  };
  for (const [name, value] of entriesOf("uiModules", setting)) {
    if (typeof value === "function" && value.prototype instanceof UIModule) {
      modules[name] = value as PageModuleClass;
    }
  }
  return modules;
}

/** Returns the functions in a setting whose name begins with a lower-case letter. */
export function collectUIMethods(setting: unknown): Record<string, UIMethod> {
  const methods: Record<string, UIMethod> = { __proto__: null! };
  for (const [name, value] of entriesOf("uiMethods", setting)) {
    const isPublic = !name.startsWith("_") && name.charAt(0) === name.charAt(0).toLowerCase();
    if (typeof value === "function" && isPublic) methods[name] = value as UIMethod;
  }
  return methods;
}

// A setting is an object, such as the namespace of a module, or a list of these.
function entriesOf(setting: string, value: unknown): [string, unknown][] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((item) => entriesOf(setting, item));
  if (typeof value === "object") return Object.entries(value);
  throw new TypeError(
    `Cannot use the setting ${setting}: expected an object or several, got ${Deno.inspect(value)}`,
  );
}
