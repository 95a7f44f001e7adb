/**
 * Writes holds and ends, some thousand a second, until it is killed. Prints `acked N`: rows up to the Nth hold are on disk. Hold N
 * has N as its credential, and the counter `written` says N. Argument: the ledger file.
 */
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { openSqliteLedger } from '../../src/ledger/sqlite-ledger.ts';
import { endOf, holdOf } from './rows.ts';

let written = 0;
const ledger = await openSqliteLedger({
  file: process.argv[2]!,
  changedCounters: () => [{ counter: 'written', state: String(written), dropAtMs: Number.MAX_SAFE_INTEGER }],
});
writeSync(1, 'ready\n');
async function ack(): Promise<void> {
  for (;;) {
    const upTo = written;
    await ledger.flush();
    writeSync(1, `acked ${upTo}\n`);
    await sleep(1);
  }
}
void ack();
for (;;) {
  for (let burst = 0; burst < 20; burst += 1) {
    written += 1;
    const hold = holdOf(ledger.id, { credential: String(written) });
    ledger.hold(hold);
    if (written % 2 === 0) ledger.end(endOf(hold));
    if (written % 4 === 0) ledger.end(endOf(hold));
  }
  await sleep(3);
}
