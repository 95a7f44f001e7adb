import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openLedgerReader } from '../../src/ledger/reader.ts';
import { openSqliteLedger, type SqliteLedger, type SqliteLedgerOptions } from '../../src/ledger/sqlite-ledger.ts';
import type { LedgerBench } from '../contract/ledger.ts';
import type { Scope } from '../support/scope.ts';
import { tempDir } from '../support/temp.ts';

export interface SqliteBench extends LedgerBench {
  readonly file: string;
  open(options?: Partial<SqliteLedgerOptions>): Promise<SqliteLedger>;
}

/** A ledger file of its own, read through a second connection while it is written. */
export async function sqliteBench(scope: Scope): Promise<SqliteBench> {
  const undos: (() => void | Promise<void>)[] = [];
  // Last first: a ledger is closed before its directory goes.
  scope.after(async () => {
    for (const undo of undos.reverse()) await undo();
  });
  const own: Scope = { after: (undo) => void undos.push(undo) };
  const file = join(await tempDir(own), 'ledger.db');
  const query = (sql: string, ...values: string[]): Record<string, unknown>[] => {
    const db = new DatabaseSync(file, { readOnly: true });
    try {
      const statement = db.prepare(sql);
      statement.setReadBigInts(true);
      return statement.all(...values);
    } finally {
      db.close();
    }
  };
  const count = (table: string): number => Number(query(`SELECT count(*) AS n FROM ${table}`)[0]?.['n']);
  return {
    file,
    open: async (options = {}) => {
      const ledger = await openSqliteLedger({ file, ...options });
      own.after(() => ledger.close());
      return ledger;
    },
    sums: async (decisionId) =>
      query(
        `SELECT meter || ' ' || model || ' ' || sum(quantity) || ' ' || sum(charge) || ' ' || sum(cost) AS text FROM lines
         WHERE decision_id = ? GROUP BY meter, model
         HAVING sum(quantity) != 0 OR sum(charge) != 0 OR sum(cost) != 0 ORDER BY 1`,
        decisionId,
      ).map((row) => row['text'] as string),
    refused: async (decisionId) => {
      const reader = openLedgerReader(file);
      const found = reader.decision(decisionId);
      reader.close();
      return found?.outcome === 'deny' ? found.count : undefined;
    },
    listed: async () => ({ conflicts: count('conflicts'), orphans: count('orphans') }),
  };
}
