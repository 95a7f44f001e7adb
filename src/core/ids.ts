import { randomBytes, randomFillSync } from 'node:crypto';

const DECISION_ID = /^([a-z2-7]{8})-([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/** Makes the identity of a new ledger: 8 random characters of [a-z2-7]. */
export function newLedgerId(): string {
  let id = '';
  for (const byte of randomBytes(8)) id += ALPHABET[byte & 31];
  return id;
}

const POOL_BYTES = 1024 * 10;
const pool = Buffer.allocUnsafe(POOL_BYTES);
let poolAt = POOL_BYTES;

const HEX = Buffer.from('0123456789abcdef');
/** Where the 18 random digits of an id stand; two bits more are in the variant. */
const RANDOM_AT = [24, 25, 26, 29, 30, 31, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44];
const VARIANT_AT = 28;
/** The last id as bytes. Ids are made in one piece, as they are keys of maps at once: a text put together is not. */
const draft = Buffer.alloc(45);
let draftLedgerId = '';
let draftMs = -1;

/**
 * Mints a decision id: `<ledger id>-<UUIDv7>` (RFC 9562 section 5.7), 45 characters.
 * The UUID's time is `nowMs`, so the id carries when it was minted. 74 random bits, from the system's generator in batches.
 */
export function mintDecisionId(ledgerId: string, nowMs: number): string {
  if (nowMs !== draftMs || ledgerId !== draftLedgerId) {
    const time = nowMs.toString(16).padStart(12, '0');
    draft.write(`${ledgerId}-${time.slice(0, 8)}-${time.slice(8)}-7...-....-............`, 'latin1');
    draftMs = nowMs;
    draftLedgerId = ledgerId;
  }
  if (poolAt + 10 > POOL_BYTES) {
    randomFillSync(pool);
    poolAt = 0;
  }
  for (let i = 0; i < RANDOM_AT.length; i++) {
    const byte = pool[poolAt + (i >> 1)]!;
    draft[RANDOM_AT[i]!] = HEX[i % 2 === 0 ? byte >> 4 : byte & 0xf]!;
  }
  draft[VARIANT_AT] = HEX[0b1000 | (pool[poolAt + 9]! & 0b11)]!;
  poolAt += 10;
  return draft.toString('latin1');
}

/** Reads an id minted by `mintDecisionId`; undefined for anything else. `mintedAtMs` is the UUID's time. */
export function parseDecisionId(text: string): { ledgerId: string; mintedAtMs: number } | undefined {
  const match = DECISION_ID.exec(text);
  if (match === null) return undefined;
  return { ledgerId: match[1]!, mintedAtMs: Number.parseInt(match[2]! + match[3]!, 16) };
}
