/** A process that ends as its argument says; `ending.test.ts` runs it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Ending } from '../../src/app/ending.ts';
import { createLog } from '../../src/telemetry/log.ts';

const how = process.argv[2];
const never = new Promise<void>(() => {});
const say = (text: string): void => void process.stdout.write(`${text}\n`);

// Something that keeps it alive, as listeners do.
const alive = setInterval(() => {}, 1_000);
const app = {
  async stop({ drainMs }: { drainMs: number }): Promise<void> {
    say(`stop ${drainMs}`);
    if (how === 'hangs') await never;
    if (how === 'fails') throw new Error('stop fails');
    await sleep(how === 'slow' ? 60_000 : 10);
    clearInterval(alive);
  },
  async abandon(): Promise<void> {
    say('abandon');
    if (how === 'stuck') await never;
    if (how === 'unwritten') throw new Error('the disk is full');
  },
};
const ending = new Ending(createLog());
say('ready');
// Told to end while it still starts.
if (how === 'early') await sleep(300);
const over = ending.of(app, { drainMs: how === 'hangs' ? -8_900 : 3_000 });
if (how === 'throws' || how === 'stuck' || how === 'unwritten') {
  setTimeout(() => {
    throw new Error('uncaught');
  }, 10);
}
if (how === 'rejects') void Promise.reject(new Error('unhandled'));
await over;
say('over');
