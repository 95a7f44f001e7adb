import { after } from 'node:test';

/** Something whose end undoes what was set up in it: a test's context, or the file (`fileScope`). */
export interface Scope {
  after(undo: () => void | Promise<void>): void;
}

/** The running suite or file: undone, last first, when all its tests have run. Call it where `after` may be called. */
export function fileScope(): Scope {
  const undos: (() => void | Promise<void>)[] = [];
  after(async () => {
    for (const undo of undos.reverse()) await undo();
  });
  return { after: (undo) => void undos.push(undo) };
}
