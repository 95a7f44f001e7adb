/** Loaded into a Tollgate by `--import`: faults that no input causes, at a signal. */

// An exception that nobody catches, out of a turn of the loop.
process.on('SIGUSR2', () => {
  throw new Error('a fault that a test has made');
});

// All the heap there is: V8 ends the process.
process.on('SIGWINCH', () => {
  const hoard: unknown[] = [];
  for (;;) hoard.push(Array.from({ length: 10_000 }, (_, n) => ({ n })));
});
