import type { DatabaseSync, StatementSync } from 'node:sqlite';

export type Statements = ReturnType<typeof statements>;

/** Everything that the writer says to the file, prepared once. Tables: schema.ts. */
export function statements(db: DatabaseSync) {
  const prepare = (sql: string): StatementSync => db.prepare(sql);
  const sumsOf = prepare(
    `SELECT meter, model, sum(quantity) AS quantity, sum(charge) AS charge, sum(cost) AS cost
     FROM lines WHERE decision_id = ? GROUP BY meter, model`,
  );
  sumsOf.setReadBigInts(true);
  return {
    hold: prepare(
      `INSERT INTO holds (decision_id, decided_at_ms, expires_at_ms, account, customer, credential, classes, route, model,
         plan, tags, policy_version, price_version, written_by, row)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (decision_id) DO NOTHING`,
    ),
    held: prepare('SELECT 1 FROM holds WHERE decision_id = ?'),
    open: prepare('INSERT INTO open (decision_id, expires_at_ms) VALUES (?, ?)'),
    close: prepare('DELETE FROM open WHERE decision_id = ?'),
    endsOf: prepare('SELECT rank, amounts FROM ends WHERE decision_id = ?'),
    sumsOf,
    end: prepare(
      `INSERT INTO ends (decision_id, rank, kind, source, at_ms, answered_model, priced_model, flags, status, attempts,
         duration_ms, charge, cost, amounts, charged)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    line: prepare(
      `INSERT INTO lines (decision_id, rank, line, meter, model, quantity, charge, cost) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    conflict: prepare(
      `INSERT INTO conflicts (decision_id, rank, at_ms, booked, amounts, row, times) VALUES (?, ?, ?, ?, ?, ?, 1)
       ON CONFLICT (decision_id, rank, amounts) DO UPDATE SET times = times + 1`,
    ),
    refusal: prepare(
      `INSERT INTO refusals (decision_id, decided_at_ms, account, customer, credential, classes, route, model, plan, tags,
         reason, limit_name, count, row)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?) ON CONFLICT (decision_id) DO NOTHING`,
    ),
    fold: prepare('UPDATE refusals SET count = max(count, ?) WHERE decision_id = ?'),
    orphan: prepare(
      `INSERT INTO orphans (decision_id, why, at_ms, entry, times) VALUES (?, ?, ?, ?, 1)
       ON CONFLICT (decision_id, why) DO UPDATE SET times = times + 1`,
    ),
    difference: prepare(
      `INSERT INTO differences (since_ms, policy_version, observed_version, account, route, requested_model, was_outcome,
         was_reason, was_limit, was_model, would_outcome, would_reason, would_limit, would_model, count, example)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    ),
    keepPrices: prepare('INSERT INTO prices (version, tables) VALUES (?, ?) ON CONFLICT (version) DO NOTHING'),
    prices: prepare('SELECT tables FROM prices WHERE version = ?'),
    counter: prepare(
      `INSERT INTO counters (counter, state, drop_at_ms) VALUES (?, ?, ?)
       ON CONFLICT (counter) DO UPDATE SET state = excluded.state, drop_at_ms = excluded.drop_at_ms`,
    ),
    counters: prepare(
      `SELECT counter, state, drop_at_ms AS dropAtMs FROM counters
       WHERE counter > ? AND counter < ? AND drop_at_ms >= ? ORDER BY counter LIMIT ?`,
    ),
    counterNamed: prepare('SELECT counter, state, drop_at_ms AS dropAtMs FROM counters WHERE counter = ?'),
    dropCounters: prepare('DELETE FROM counters WHERE drop_at_ms < ?'),
    overdue: prepare(
      `SELECT h.row FROM open AS o JOIN holds AS h ON h.decision_id = o.decision_id
       WHERE o.expires_at_ms <= ? ORDER BY o.expires_at_ms, h.seq LIMIT ?`,
    ),
    openHolds: prepare(
      `SELECT o.decision_id AS decisionId, h.row, c.counter, c.state, c.drop_at_ms AS dropAtMs
       FROM open AS o JOIN holds AS h ON h.decision_id = o.decision_id LEFT JOIN counters AS c ON c.counter = ? || o.decision_id
       WHERE o.decision_id > ? ORDER BY o.decision_id LIMIT ?`,
    ),
    holdOf: prepare('SELECT row, written_by AS writtenBy FROM holds WHERE decision_id = ?'),
    lastEndOf: prepare('SELECT rank, charged FROM ends WHERE decision_id = ? ORDER BY rank DESC LIMIT 1'),
  };
}
