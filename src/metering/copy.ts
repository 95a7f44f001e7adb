import { holdToFields } from '../ledger/fields.ts';
import type { Hold } from '../ledger/hold.ts';

/** Whether the copy in an access-log entry tells another story than the hold, in any of its fields. Pure. */
export function copyDiffers(fields: ReadonlyMap<string, string>, hold: Hold): boolean {
  return holdToFields(hold).some(([name, text]) => fields.get(name) !== text);
}
