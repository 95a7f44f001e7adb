import { parseDecisionId } from '../core/ids.ts';
import { holdFromFields, holdToFields } from '../ledger/fields.ts';
import type { Hold } from '../ledger/hold.ts';

/** Clocks that differ by more are not two clocks of one deployment. */
const SKEW_MAX_MS = 86_400_000;

/** The copy of a hold that is lost, or why it is not ours to book. Pure. */
export function copyOf(
  fields: ReadonlyMap<string, string>,
  { decisionId, ledgerId, nowMs }: { readonly decisionId: string; readonly ledgerId: string; readonly nowMs: number },
): Hold | string {
  const id = parseDecisionId(decisionId);
  if (id?.ledgerId !== ledgerId) return 'not an id of this ledger';
  if (id.mintedAtMs > nowMs + SKEW_MAX_MS) return 'minted in the future';
  return holdFromFields(fields) ?? 'no hold, and its copy cannot be read';
}

/** Whether the copy in an access-log entry tells another story than the hold, in any of its fields. Pure. */
export function copyDiffers(fields: ReadonlyMap<string, string>, hold: Hold): boolean {
  return holdToFields(hold).some(([name, text]) => fields.get(name) !== text);
}
