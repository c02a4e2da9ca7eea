import type { Code } from "./_javascript.ts";

/** A parsed template. */
export interface TemplateFile {
  readonly name: string;
  readonly body: readonly Node[];
  /** The function that expressions are given to, or null. */
  readonly autoescape: Code | null;
  /** The template whose blocks this one replaces. */
  readonly parent: { readonly name: string; readonly line: number } | null;
}

/** A node of a template, with the line on which it begins. */
export type Node =
  | { readonly kind: "text"; readonly text: string }
  | {
    readonly kind: "print";
    readonly line: number;
    readonly code: Code;
    readonly isEscaped: boolean;
  }
  | {
    readonly kind: "apply";
    readonly line: number;
    readonly code: Code;
    readonly body: readonly Node[];
  }
  | Block
  | { readonly kind: "include"; readonly line: number; readonly name: string }
  | { readonly kind: "if"; readonly branches: readonly Branch[] }
  | {
    readonly kind: "for";
    readonly line: number;
    readonly pattern: Code;
    readonly items: Code;
    readonly body: readonly Node[];
    readonly otherwise: readonly Node[] | null;
  }
  | {
    readonly kind: "while";
    readonly line: number;
    readonly condition: Code;
    readonly body: readonly Node[];
    readonly otherwise: readonly Node[] | null;
  }
  | {
    readonly kind: "try";
    readonly body: readonly Node[];
    readonly handler: { readonly pattern: Code | null; readonly body: readonly Node[] } | null;
    readonly otherwise: readonly Node[] | null;
    readonly cleanup: readonly Node[] | null;
  }
  | {
    readonly kind: "set";
    readonly line: number;
    readonly code: Code;
    readonly targets: readonly string[];
  }
  | { readonly kind: "import"; readonly line: number; readonly imports: readonly Import[] }
  | { readonly kind: "jump"; readonly line: number; readonly word: "break" | "continue" };

/** A part that a child may replace. */
export interface Block {
  readonly kind: "block";
  readonly line: number;
  readonly name: string;
  readonly body: readonly Node[];
}

/** A branch of an `if`; the last one may have no condition. */
export interface Branch {
  readonly line: number;
  readonly condition: Code | null;
  readonly body: readonly Node[];
}

/** One name of an `import`. */
export interface Import {
  readonly module: string;
  /** What is taken from the module; null: itself. */
  readonly member: string | null;
  readonly name: string;
}
