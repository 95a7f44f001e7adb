/** tollgate.yaml: how the process runs. Lies beside the bundle, judged by the same check, not part of its version. */

import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import * as z from 'zod';
import { DAY_MS } from '../core/day.ts';
import { LOG_LEVELS, type LogLevel } from '../telemetry/names.ts';
import type { BundleFile } from './directory.ts';
import { ENDPOINT, type Endpoint, endpointText, isLocal, parseEndpoint, SOCKET_PATH_BYTES_MAX } from './endpoint.ts';
import { checked, duration } from './forms.ts';
import { type Problems, show } from './problem.ts';
import { parseDuration } from './quantity.ts';
import { secretFileFault } from './secret-file.ts';
import {
  type AdminLint,
  type AdminSettings,
  adminOf,
  adminSchema,
  auditSchema,
  lintAdmin,
  listenAdmin,
  listenAdminOf,
} from './settings-admin.ts';
import { lintTelemetry, type TelemetrySettings, telemetryOf, telemetrySchema } from './settings-telemetry.ts';
import { lintTls, type TlsListeners, tlsOf, tlsSchema } from './settings-tls.ts';
import type { Path, Source } from './source.ts';
import { validate } from './validate.ts';
import { parseSource } from './yaml.ts';

/** Complete: every key has its value or its default. Paths are absolute. */
export interface Settings {
  readonly listen: {
    /** ext_authz. Default 127.0.0.1:18080. */
    readonly check: Endpoint;
    /** Access log. Default 127.0.0.1:18081. */
    readonly accessLog: Endpoint;
    /** Admin port. Default 127.0.0.1:18082; undefined: none. */
    readonly admin: Endpoint | undefined;
  };
  /** Who may use the admin port. Default: nobody, beyond health and metrics. */
  readonly admin: AdminSettings;
  /** SQLite file of audit records. Default `audit.db` beside the ledger. */
  readonly audit: { readonly path: string };
  /** Listeners that ask for client certificates. Default: none. */
  readonly tls: TlsListeners;
  /** Plain ports beyond loopback were asked for. Default false. */
  readonly plainListen: boolean;
  /** SQLite file. Default `ledger.db` beside the bundle. */
  readonly ledger: { readonly path: string };
  /** Files of secrets that keys are digested under, by version; empty: no API key can be proved. */
  readonly peppers: ReadonlyMap<string, string>;
  /** Longest a Check may take, where Envoy's own deadline is not nearer. Default 200, 10–10000. */
  readonly deadlineMs: number;
  /** How long a process that was told to end goes on answering, not ready, before it closes its port. Default 3000, 1–60000. */
  readonly drainMs: number;
  /** How long after its minting a decision may be settled. Default 1500000, at least every `lasts_max` + 600000. */
  readonly settleWithinMs: number;
  /** Added to a route's `lasts_max` before its reservation expires. Default 60000, 1000–600000. */
  readonly expiryGraceMs: number;
  /** Counters of the memory store. Default 500000, 1000–10000000. */
  readonly countersMax: number;
  /** Ledger rows that may wait for the disk. Default 100000, 100–1000000. */
  readonly queueMax: number;
  /** Longest a ledger row waits for its group commit. Default 5, 1–100. */
  readonly commitMs: number;
  /** What is logged: this level and the louder ones. Default `info`. */
  readonly log: LogLevel;
  readonly telemetry: TelemetrySettings;
}

const listen = checked(
  parseEndpoint,
  'an address like `127.0.0.1:18080`, `[::1]:18080` or `unix:run/check.sock`',
  ENDPOINT,
);
const fileName = z.string().min(1).max(1024).describe('the path of a file');
const bound = z.int().describe('a whole number');

export const settingsSchema = z.strictObject({
  listen: z
    .strictObject({ check: listen.optional(), access_log: listen.optional(), admin: listenAdmin.optional() })
    .optional(),
  tls: tlsSchema.optional(),
  plain_listen: z.boolean().describe('`true` or `false`').optional(),
  ledger: z.strictObject({ path: fileName.optional() }).optional(),
  admin: adminSchema.optional(),
  audit: auditSchema.optional(),
  peppers: z
    .record(
      z
        .string()
        .regex(/^v[1-9][0-9]{0,3}$/)
        .describe('a version like `v1`'),
      fileName,
    )
    .describe('a mapping of versions to files')
    .optional(),
  deadline: duration.optional(),
  drain: duration.optional(),
  settle_within: duration.optional(),
  expiry_grace: duration.optional(),
  counters_max: bound.optional(),
  queue_max: bound.optional(),
  commit: duration.optional(),
  log: z
    .enum(LOG_LEVELS)
    .describe(`one of \`${LOG_LEVELS.join('`, `')}\``)
    .optional(),
  telemetry: telemetrySchema.optional(),
});
type SettingsFile = z.infer<typeof settingsSchema>;

const CHECK: Endpoint = { kind: 'tcp', host: '127.0.0.1', port: 18_080 };
const ACCESS_LOG: Endpoint = { kind: 'tcp', host: '127.0.0.1', port: 18_081 };

/** A pepper is 64 hex digits and at most one line feed. */
export const PEPPER_FILE = { bytesMin: 64, bytesMax: 65, remedy: '`tollgate keys pepper FILE` makes one' };
/** Settlement stays open this much longer than the longest call. */
const SETTLE_MARGIN_MS = 600_000;

/** What the policy demands of the settings. */
export interface SettingsNeeds {
  /** The longest `lasts_max` of a route; 0: not known. */
  readonly lastsMaxMs: number;
}

/** Reads tollgate.yaml of `dir`; `file` undefined: all defaults. Every problem is reported; secret files are looked at, not read. */
export async function compileSettings(
  dir: string,
  file: BundleFile | undefined,
  needs: SettingsNeeds,
  problems: Problems,
): Promise<Settings | undefined> {
  if (file === undefined) return settingsOf({}, dir);
  const source = parseSource(file.file, file.bytes, problems);
  if (source === undefined) return undefined;
  const data = validate(source, settingsSchema, problems);
  if (data === undefined) return undefined;
  const settings = settingsOf(data, dir);
  lintRanges(settings, data, source, problems);
  lintListen(settings, source, problems);
  lintSettling(settings, needs, source, problems);
  await lintSecrets(settings, source, problems);
  lintPlaces(dir, settings, source, problems);
  await lintTls({ data: data.tls, tls: settings.tls, listen: settings.listen }, source, problems);
  await lintTelemetry(settings.telemetry, { data: data.telemetry, source }, problems);
  await lintAdmin(adminLintOf(settings), source, problems);
  return settings;
}

function settingsOf(data: SettingsFile, dir: string): Settings {
  const below = (path: string) => (isAbsolute(path) ? path : resolve(dir, path));
  const at = (text: string | undefined, preset: Endpoint): Endpoint => {
    const endpoint = (text === undefined ? undefined : parseEndpoint(text)) ?? preset;
    return Object.freeze(endpoint.kind === 'unix' ? { ...endpoint, path: below(endpoint.path) } : endpoint);
  };
  const ms = (text: string | undefined, presetMs: number) =>
    text === undefined ? presetMs : (parseDuration(text) ?? presetMs);
  const ledger = below(data.ledger?.path ?? 'ledger.db');
  return Object.freeze({
    listen: Object.freeze({
      check: at(data.listen?.check, CHECK),
      accessLog: at(data.listen?.access_log, ACCESS_LOG),
      admin: listenAdminOf(data.listen?.admin, below),
    }),
    admin: adminOf(data.admin, below),
    audit: Object.freeze({
      path: data.audit?.path === undefined ? join(dirname(ledger), 'audit.db') : below(data.audit.path),
    }),
    tls: tlsOf(data.tls, below),
    plainListen: data.plain_listen ?? false,
    ledger: Object.freeze({ path: ledger }),
    peppers: new Map(Object.entries(data.peppers ?? {}).map(([version, path]) => [version, below(path)])),
    deadlineMs: ms(data.deadline, 200),
    drainMs: ms(data.drain, 3_000),
    settleWithinMs: ms(data.settle_within, 25 * 60_000),
    expiryGraceMs: ms(data.expiry_grace, 60_000),
    countersMax: data.counters_max ?? 500_000,
    queueMax: data.queue_max ?? 100_000,
    commitMs: ms(data.commit, 5),
    log: data.log ?? 'info',
    telemetry: telemetryOf(data.telemetry, dir),
  });
}

function lintRanges(settings: Settings, data: SettingsFile, source: Source, problems: Problems): void {
  const ranges: readonly [key: keyof SettingsFile, value: number, min: number, max: number, expected: string][] = [
    ['deadline', settings.deadlineMs, 10, 10_000, 'from `10ms` to `10s`'],
    ['drain', settings.drainMs, 1, 60_000, 'from `1ms` to `1m`'],
    ['settle_within', settings.settleWithinMs, 1000, 7 * DAY_MS, 'from `1s` to `7d`'],
    ['expiry_grace', settings.expiryGraceMs, 1000, 600_000, 'from `1s` to `10m`'],
    ['counters_max', settings.countersMax, 1000, 10_000_000, 'from `1000` to `10000000`'],
    ['queue_max', settings.queueMax, 100, 1_000_000, 'from `100` to `1000000`'],
    ['commit', settings.commitMs, 1, 100, 'from `1ms` to `100ms`'],
  ];
  for (const [key, value, min, max, expected] of ranges) {
    if (value < min || value > max)
      problems.report('setting-range', source.at([key]), { expected, found: show(data[key]) });
  }
}

/** A plain port that others can reach must be asked for by name; a socket's path must fit its address. */
function lintListen(
  { listen: { check, accessLog }, tls, plainListen }: Settings,
  source: Source,
  problems: Problems,
): void {
  for (const [key, endpoint, proved] of [
    ['check', check, tls.check],
    ['access_log', accessLog, tls.accessLog],
  ] as const) {
    if (!plainListen && proved === undefined && !isLocal(endpoint)) {
      problems.report('listen-exposed', source.at(['listen', key]), {
        expected: `a loopback address or a Unix socket; beyond it \`tls.${key}\`, or \`plain_listen: true\` where it must be plain`,
        found: show(endpointText(endpoint)),
      });
    }
    if (endpoint.kind === 'unix' && Buffer.byteLength(endpoint.path) > SOCKET_PATH_BYTES_MAX) {
      const expected = `a socket whose absolute path has at most ${SOCKET_PATH_BYTES_MAX} bytes`;
      problems.report('setting-range', source.at(['listen', key]), { expected, found: 'a longer one' });
    }
  }
  const isFree = check.kind === 'tcp' && check.port === 0;
  if (!isFree && endpointText(check) === endpointText(accessLog)) {
    problems.report('value-wrong', source.at(['listen']), {
      text: '`check` and `access_log` need addresses of their own',
    });
  }
}

function lintSettling(settings: Settings, { lastsMaxMs }: SettingsNeeds, source: Source, problems: Problems): void {
  if (lastsMaxMs === 0 || settings.settleWithinMs >= lastsMaxMs + SETTLE_MARGIN_MS) return;
  const expected = `at least the longest \`lasts_max\` of a route and 10 minutes (${(lastsMaxMs + SETTLE_MARGIN_MS) / 1000}s)`;
  problems.report('setting-range', source.at(['settle_within']), {
    expected,
    found: `\`${settings.settleWithinMs / 1000}s\``,
  });
}

/** Who may read the bundle, its repository or the ConfigMap that it comes from, must not read secrets with it. */
function lintPlaces(dir: string, { peppers, tls, admin }: Settings, source: Source, problems: Problems): void {
  const secrets: (readonly [path: Path, file: string | undefined])[] = [
    ...[...peppers].map(([version, file]) => [['peppers', version], file] as const),
    [['tls', 'check', 'key'], tls.check?.key],
    [['tls', 'access_log', 'key'], tls.accessLog?.key],
    [['tls', 'admin', 'key'], tls.admin?.key],
    ...[...admin.roles].map(([role, { token }]) => [['admin', 'roles', role, 'token'], token] as const),
  ];
  const told = new Set<string>();
  for (const [path, file] of secrets) {
    if (file === undefined || told.has(file) || relative(resolve(dir), file).startsWith('..')) continue;
    told.add(file);
    problems.report('secret-place', source.at(path), {
      expected: 'a file outside the bundle',
      found: 'one that is read by whoever reads the bundle',
    });
  }
}

async function lintSecrets(settings: Settings, source: Source, problems: Problems): Promise<void> {
  for (const [version, file] of settings.peppers) {
    const found = await secretFileFault(file, PEPPER_FILE);
    if (found === undefined) continue;
    problems.report('secret-file', source.at(['peppers', version]), {
      expected: 'a readable file of 64 hex digits with mode 0640 or stricter',
      found,
    });
  }
}

function adminLintOf({ listen, admin, tls, plainListen }: Settings): AdminLint {
  return {
    listen: listen.admin,
    others: [listen.check, listen.accessLog],
    admin,
    plainListen,
    tlsNames: tls.admin?.names,
  };
}
