/** `telemetry` of tollgate.yaml: where measurements go, and how much of them. */
import { isAbsolute, resolve } from 'node:path';
import * as z from 'zod';
import { checked, duration, https } from './forms.ts';
import { type Problems, show } from './problem.ts';
import { PERCENT, parseDuration, parsePercent } from './quantity.ts';
import { secretFileFault } from './secret-file.ts';
import type { Source } from './source.ts';

/** Complete. Prometheus text is there in any case; all but `accountsMax` is about OTLP alone. */
export interface TelemetrySettings {
  /** URL of a collector, without the signals' paths and a final slash; undefined: nothing is sent. */
  readonly otlp: string | undefined;
  /** File of headers for the collector, a `name: value` a line; undefined: none. */
  readonly headersFile: string | undefined;
  /** How often metrics are sent. Default 30000, 1000–600000. */
  readonly everyMs: number;
  /** Longest one export may take. Default 5000, 100–30000. */
  readonly timeoutMs: number;
  /** Share of decisions that are traced where the caller did not say so, 0–1. Default 0. */
  readonly traces: number;
  /** Accounts, and credentials, with series of their own; the rest is `other`. Default 100, 0–500. */
  readonly accountsMax: number;
}

const share = checked(parsePercent, 'a percent from `0%` to `100%`', PERCENT);

export const telemetrySchema = z.strictObject({
  otlp: https.optional(),
  headers: z.string().min(1).max(1024).describe('the path of a file').optional(),
  every: duration.optional(),
  timeout: duration.optional(),
  traces: share.optional(),
  accounts_max: z.int().describe('a whole number').optional(),
});
type TelemetryFile = z.infer<typeof telemetrySchema>;

/** Lines of a headers file are few. */
const HEADERS_BYTES_MAX = 8192;
/** Ten-thousandths of a percent, as `parsePercent` counts. */
const WHOLE = 1_000_000;

export function telemetryOf(data: TelemetryFile | undefined, dir: string): TelemetrySettings {
  const ms = (text: string | undefined, presetMs: number) =>
    text === undefined ? presetMs : (parseDuration(text) ?? presetMs);
  const headers = data?.headers;
  return Object.freeze({
    otlp: data?.otlp?.replace(/\/$/, ''),
    headersFile: headers === undefined || isAbsolute(headers) ? headers : resolve(dir, headers),
    everyMs: ms(data?.every, 30_000),
    timeoutMs: ms(data?.timeout, 5_000),
    traces: (parsePercent(data?.traces ?? '0%') ?? 0) / WHOLE,
    accountsMax: data?.accounts_max ?? 100,
  });
}

/** Ranges, and the file that holds secrets, which is looked at and not read. */
export async function lintTelemetry(
  settings: TelemetrySettings,
  { data, source }: { readonly data: TelemetryFile | undefined; readonly source: Source },
  problems: Problems,
): Promise<void> {
  const ranges: readonly [key: keyof TelemetryFile, value: number, min: number, max: number, expected: string][] = [
    ['every', settings.everyMs, 1000, 600_000, 'from `1s` to `10m`'],
    ['timeout', settings.timeoutMs, 100, 30_000, 'from `100ms` to `30s`'],
    ['accounts_max', settings.accountsMax, 0, 500, 'from `0` to `500`'],
  ];
  for (const [key, value, min, max, expected] of ranges) {
    if (value >= min && value <= max) continue;
    problems.report('setting-range', source.at(['telemetry', key]), { expected, found: show(data?.[key]) });
  }
  if (settings.headersFile === undefined) return;
  const found = await secretFileFault(settings.headersFile, { bytesMin: 1, bytesMax: HEADERS_BYTES_MAX });
  if (found === undefined) return;
  problems.report('secret-file', source.at(['telemetry', 'headers']), {
    expected: `a readable file of at most ${HEADERS_BYTES_MAX} bytes with mode 0640 or stricter`,
    found,
  });
}
