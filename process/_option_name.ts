/** Writes an option's name as code does. */
export function optionKey(name: string): string {
  return name.replace(/[-_]+(.)/g, (_, first: string) => first.toUpperCase());
}

/** Writes it as the command line does: `myName` is `my-name`. */
export function optionFlag(name: string): string {
  return optionKey(name).replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
