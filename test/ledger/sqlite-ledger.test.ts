import { ledgerContract } from '../contract/ledger.ts';
import { sqliteBench } from './sqlite-bench.ts';

ledgerContract('SQLite', sqliteBench);
