import { MemoryLimitStore } from '../../src/limits/memory-store.ts';
import { limitStoreContract } from '../contract/limit-store.ts';

limitStoreContract('memory', (options) => {
  let nowMs = 0;
  const store = new MemoryLimitStore({ nowMs: () => nowMs, monotonicMs: () => nowMs }, options);
  return {
    store,
    setNow(now) {
      nowMs = now;
    },
  };
});
