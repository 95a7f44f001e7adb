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

/**
 * Mints a decision id: `<ledger id>-<UUIDv7>` (RFC 9562 section 5.7), 45 characters.
 * The UUID's time is `nowMs`, so the id carries when it was minted. 74 random bits, from the system's generator in batches.
 */
export function mintDecisionId(ledgerId: string, nowMs: number): string {
  if (poolAt + 10 > POOL_BYTES) {
    randomFillSync(pool);
    poolAt = 0;
  }
  const time = nowMs.toString(16).padStart(12, '0');
  const random = pool.toString('hex', poolAt, poolAt + 10);
  poolAt += 10;
  const variant = '89ab'[Number.parseInt(random[3]!, 16) & 3]!;
  return `${ledgerId}-${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(0, 3)}-${variant}${random.slice(4, 7)}-${random.slice(7, 19)}`;
}

/** Reads an id minted by `mintDecisionId`; undefined for anything else. `mintedAtMs` is the UUID's time. */
export function parseDecisionId(text: string): { ledgerId: string; mintedAtMs: number } | undefined {
  const match = DECISION_ID.exec(text);
  if (match === null) return undefined;
  return { ledgerId: match[1]!, mintedAtMs: Number.parseInt(match[2]! + match[3]!, 16) };
}
