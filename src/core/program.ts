/**
 * The program of a thread: the file `name` (a relative path without its ending) beside the module `from`, its
 * `import.meta.url`. The source as it stands, or what was built of it, as `from` is.
 */
export function programBeside(from: string, name: string): URL {
  return new URL(`${name}.${from.endsWith('.ts') ? 'ts' : 'js'}`, from);
}
