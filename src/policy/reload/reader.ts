/** The thread that reads, checks and compiles bundles. It holds what it parsed, so that only changed files are parsed again. */

import { createHash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import { systemClock } from '../../core/clock.ts';
import { judgeFiles } from '../bundle.ts';
import type { BundleFile } from '../directory.ts';
import { ParsedFiles } from '../documents.ts';
import { markedFiles } from './finished.ts';
import { readSettled } from './settled.ts';
import { headOf, slicesOf } from './slices.ts';
import type { FromReader, LoadAsk, Slice, ToReader } from './wire.ts';

const parsed = new ParsedFiles();
let slices: Generator<Slice, void> | undefined;

parentPort!.on('message', (message: ToReader) => {
  if (message.type === 'more') more(message.id);
  else void load(message.id, message);
});

async function load(id: number, { dir, before, marked, known }: LoadAsk): Promise<void> {
  slices = undefined;
  const settled = await readSettled(dir, before, systemClock);
  if (settled === undefined) return say({ type: 'moving', id });
  const { files, problems, print } = settled;
  const stamps = new Map([...print.files].map(([file, { text }]) => [file, text]));
  const seen = { text: print.text, stamps, hash: hashOf(files) };
  if (seen.hash === known && problems.errors === 0) return say({ type: 'same', id, seen });
  const loaded = await judgeFiles(dir, { files, parsed, marked: new Set(marked) }, problems);
  const { policy: _policy, parts, ...judged } = loaded;
  slices = parts && slicesOf(parts);
  say({
    type: 'judged',
    id,
    seen,
    judged: { ...judged, marked: markedFiles(files) },
    head: parts && headOf(parts),
  });
}

function more(id: number): void {
  say({ type: 'slice', id, slice: slices?.next().value ?? undefined });
}

/** Names and bytes of all files, tollgate.yaml included. */
function hashOf(files: readonly BundleFile[]): string {
  const hash = createHash('sha256');
  for (const { file, bytes } of files) hash.update(`${file}\0${bytes.length}\0`).update(bytes);
  return hash.digest('base64');
}

function say(message: FromReader): void {
  parentPort!.postMessage(message);
}
