/** Time zones of customers. */
import { Temporal } from 'temporal-polyfill';

/** What every zone is written like; not everything that is written so is one. */
export const ZONE = /^(?:UTC|[A-Z][A-Za-z_]*(?:\/[A-Z][A-Za-z0-9_+-]*)+)$/;

const known = new Map<string, boolean>();
/** There are some 600 names; whatever else is asked for is not remembered. */
const KNOWN_MAX = 2000;

/** Whether `zone` is an IANA name of this runtime, as it is written there; offsets like `+02:00` are not. */
export function isZone(zone: string): boolean {
  const seen = known.get(zone);
  if (seen !== undefined) return seen;
  const valid = ZONE.test(zone) && resolves(zone);
  if (known.size < KNOWN_MAX) known.set(zone, valid);
  return valid;
}

/** Names of zones, for messages. */
export function zoneNames(): readonly string[] {
  return ['UTC', ...Intl.supportedValuesOf('timeZone')];
}

/** First instant after `day` (`2026-12-31`, inclusive) in `zone`, epoch ms. */
export function endOfDayMs(day: string, zone: string): number {
  return Temporal.PlainDate.from(day).add({ days: 1 }).toZonedDateTime(zone).epochMilliseconds;
}

/** The runtime takes any case: a name that differs from its own in nothing else is a misspelt one. */
function resolves(zone: string): boolean {
  try {
    const { timeZone } = new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions();
    return timeZone === zone || timeZone.toLowerCase() !== zone.toLowerCase();
  } catch {
    return false;
  }
}
