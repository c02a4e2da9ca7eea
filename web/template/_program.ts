// Names in expressions are variables of the function around them. So its head has to declare
// those that are in the namespace, and only those: others are globals of the language, or
// the error that they should be. The namespace is known when output is made. So there is one
// function for each set of names that was found, which for most templates is one.
import { BUILTINS, toEscapedText, toText } from "./_builtins.ts";
import type { CompiledTemplate } from "./_compiler.ts";

/** Makes output of a namespace and that of the loader. */
type Render = (namespace: object, shared: object) => string;

/** Where a name was found. */
const Source = { NOWHERE: "0", NAMESPACE: "1", SHARED: "2", BUILTINS: "3" } as const;

// Functions of one template that are kept. More than one is needed where arguments are left
// out at times; a namespace made of what a client sent must not fill the memory.
const MAX_FUNCTIONS = 8;

const MODULES_NAME = "_tt_modules";
const ESCAPE_NAMES = ["xhtmlEscape", "xhtml_escape", "escape"];

// The first frame of a function made here, `at eval (template:a.html, <anonymous>:5:2)`.
const FRAME_REGEXP = /^ +at .*\btemplate:.*$/m;

/** Stands in for UI modules where there are none. */
const NO_MODULES: object = new Proxy({}, {
  get(_, name): never {
    throw new Error(`Cannot use module ${String(name)}: the namespace has no UI modules`);
  },
});

/** A compiled template that can be run. */
export class Program {
  readonly #compiled: CompiledTemplate;
  readonly #name: string;
  readonly #functions = new Map<string, Render>();

  /** Takes the name of the template besides. */
  constructor(compiled: CompiledTemplate, name: string) {
    this.#compiled = compiled;
    this.#name = name;
  }

  /** Makes output; `shared` is the namespace of the loader. */
  run(namespace: object, shared: object): string {
    let sources = "";
    for (const name of this.#compiled.names) {
      if (has(namespace, name)) sources += Source.NAMESPACE;
      else if (has(shared, name)) sources += Source.SHARED;
      else sources += name in BUILTINS ? Source.BUILTINS : Source.NOWHERE;
    }
    const render = this.#functions.get(sources) ?? this.#add(sources);
    return render(namespace, shared);
  }

  #add(sources: string): Render {
    if (this.#functions.size === MAX_FUNCTIONS) {
      this.#functions.delete(this.#functions.keys().next().value!); // the oldest
    }
    const render = this.#make(sources);
    this.#functions.set(sources, render);
    return render;
  }

  #make(sources: string): Render {
    const { code, names, assigned, escapes, imports, places } = this.#compiled;
    const constants: string[] = [];
    const variables: string[] = [];
    names.forEach((name, i) => {
      const source = sources[i];
      if (source === Source.NAMESPACE) variables.push(`let ${name} = _tt_namespace.${name};`);
      else if (source === Source.SHARED) variables.push(`let ${name} = _tt_shared.${name};`);
      else if (name === MODULES_NAME) {
        variables.push(`const ${name} = _tt_findModules(_tt_namespace, _tt_shared);`);
      } else if (source === Source.BUILTINS) {
        if (assigned.has(name)) variables.push(`let ${name} = _tt_builtins.${name};`);
        else constants.push(`const ${name} = _tt_builtins.${name};`);
      } else if (assigned.has(name)) variables.push(`let ${name};`);
    });
    escapes.forEach((text, i) => {
      const isBuiltin = ESCAPE_NAMES.includes(text) && !assigned.has(text) &&
        sources[names.indexOf(text)] === Source.BUILTINS;
      if (isBuiltin) constants.push(`const _tt_escape${i} = _tt_escapedText;`);
      else variables.push(`const _tt_escape${i} = (x) => _tt_text((${text})(_tt_text(x)));`);
    });
    const make = new Function(
      ...["_tt_text", "_tt_escapedText", "_tt_builtins", "_tt_imports", "_tt_findModules"],
      "_tt_fail",
      `"use strict";
${constants.join("\n")}
return (_tt_namespace, _tt_shared) => {
  ${variables.join("\n  ")}
  let _tt_out = "";
  let _tt_place = 0;
  try {
${code}
    return _tt_out;
  } catch (_tt_error) {
    throw _tt_fail(_tt_error, _tt_place);
  }
};
//# sourceURL=template:${encodeURI(this.#name.toWellFormed())}`,
    );
    return make(
      toText,
      toEscapedText,
      BUILTINS,
      imports,
      findModules,
      (error: unknown, place: number) => withPlace(error, places[place]),
    );
  }
}

// What every object has, such as `constructor`, is in no namespace.
function has(namespace: object, name: string): boolean {
  return name in namespace && (!(name in Object.prototype) || Object.hasOwn(namespace, name));
}

function findModules(namespace: { modules?: unknown }, shared: { modules?: unknown }): unknown {
  return namespace.modules ?? shared.modules ?? NO_MODULES;
}

// Puts the place in the template where the stack of an error shows its function.
function withPlace(error: unknown, place: string | undefined): unknown {
  if (!(error instanceof Error) || place === undefined) return error;
  const { stack } = error;
  const line = `    at ${place}`;
  if (typeof stack !== "string" || stack.includes(line)) return error;
  const placed = FRAME_REGEXP.test(stack)
    ? stack.replace(FRAME_REGEXP, () => line)
    : `${stack}\n${line}`; // the stack is cut where it is deep
  Reflect.set(error, "stack", placed);
  return error;
}
