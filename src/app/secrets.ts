/** What the process proves itself and its callers with, kept as the files are: certificates, authorities, peppers. */
import type { Clock } from '../core/clock.ts';
import type { TurnedAway } from '../envoy/tls.ts';
import { TlsDoor } from '../envoy/tls.ts';
import { type TlsEvent, TlsKeeper } from '../envoy/tls-keeper.ts';
import { LivePeppers, type PepperChange, type Peppers } from '../identity/peppers.ts';
import type { Settings } from '../policy/settings.ts';
import type { TlsListeners, TlsSettings } from '../policy/settings-tls.ts';
import type { EventLog } from '../telemetry/log.ts';

/** Two looks find what was replaced file by file, within 5 s. Not a watch: that misses swaps of symbolic links. */
const LOOK_MS = 2_000;

/** Doors by listener; undefined: it is plain. */
export type Doors = { readonly [Listener in keyof TlsListeners]: TlsDoor | undefined };

export interface Secrets {
  readonly peppers: Peppers;
  readonly doors: Doors;
  /** Takes other pepper files, as a reloaded tollgate.yaml names them. Never rejects; what cannot be read is told. */
  follow(peppers: Settings['peppers']): Promise<void>;
  /** Looks at all files now. */
  refresh(): Promise<void>;
  /** Looks every 2 s from now on; answers how to stop. It keeps no process alive. */
  watch(): () => void;
}

export interface SecretsOptions {
  readonly clock: Clock;
  readonly events: EventLog;
  /** Called for each connection that a door turned away, with the listener's key in tollgate.yaml. */
  readonly onTurnedAway?: (connection: { readonly listener: string; readonly fault: TurnedAway['fault'] }) => void;
  /** Called when changed files were taken (`done`) or not (`refused`): what, and why not. */
  readonly onReload?: (what: string, outcome: 'done' | 'refused', why: string | undefined) => void;
}

/** Reads all of it. Throws `secret_unreadable` where one cannot be used. */
export async function openSecrets(settings: Settings, options: SecretsOptions): Promise<Secrets> {
  const peppers = new LivePeppers(settings.peppers);
  const tellPeppers = pepperTeller(options);
  const keepers = new Map<string, TlsKeeper>();
  const doors: Doors = {
    check: await doorOf('check', settings.tls.check, { keepers, options }),
    accessLog: await doorOf('access_log', settings.tls.accessLog, { keepers, options }),
    admin: await doorOf('admin', settings.tls.admin, { keepers, options }),
  };
  const refresh = async (): Promise<void> => {
    await Promise.all([
      peppers.refresh().then(tellPeppers),
      ...[...keepers.values()].map((keeper) => keeper.refresh()),
    ]);
  };
  return {
    peppers,
    doors,
    refresh,
    follow: async (versions) => tellPeppers(await peppers.follow(versions)),
    watch: () => repeat(refresh, LOOK_MS),
  };
}

/** Listeners that name the same files share what is read of them. */
async function doorOf(
  listener: string,
  tls: TlsSettings | undefined,
  { keepers, options }: { readonly keepers: Map<string, TlsKeeper>; readonly options: SecretsOptions },
): Promise<TlsDoor | undefined> {
  if (tls === undefined) return undefined;
  const { clock, events, onTurnedAway } = options;
  const key = JSON.stringify([tls.cert, tls.key, tls.clientCa]);
  const keeper = keepers.get(key) ?? (await TlsKeeper.open(tls, { clock, tell: (event) => tell(event, options) }));
  keepers.set(key, keeper);
  return new TlsDoor({
    keeper,
    names: tls.names,
    protocol: listener === 'admin' ? 'http/1.1' : 'h2',
    onTurnedAway: ({ fault, detail }) => {
      events.write('warn', 'tls_turned_away', { listener, fault, detail }, `${listener} ${fault}`);
      onTurnedAway?.({ listener, fault });
    },
  });
}

const EXPIRY_LEVEL = { soon: 'warn', last: 'error', expired: 'error' } as const;

function tell(event: TlsEvent, { events, onReload }: SecretsOptions): void {
  switch (event.kind) {
    case 'changed':
      events.write('info', 'tls_changed', { file: event.file, until: dateText(event.untilMs) });
      onReload?.('tls', 'done', undefined);
      return;
    case 'refused':
      events.write('error', 'tls_change_refused', { file: event.file, detail: event.detail });
      onReload?.('tls', 'refused', event.detail);
      return;
    case 'expiry': {
      const { stage, what, file, untilMs } = event;
      events.write(EXPIRY_LEVEL[stage], `tls_expiry_${stage}`, { what, file, until: dateText(untilMs) }, what);
    }
  }
}

function dateText(ms: number): string {
  return new Date(ms).toISOString();
}

/** A fault is told once, and again when it is another one, not with every look. */
function pepperTeller({ events, onReload }: SecretsOptions): (change: PepperChange) => void {
  let told: PepperChange['faults'] = new Map();
  return ({ added, changed, gone, faults }) => {
    if (added.length + changed.length + gone.length > 0) {
      events.write('info', 'peppers_changed', { added, changed, gone });
      onReload?.('peppers', 'done', undefined);
    }
    for (const [version, found] of faults) {
      if (told.get(version) === found) continue;
      events.write('error', 'pepper_refused', { version, found }, version);
      onReload?.('peppers', 'refused', `\`${version}\`: found ${found}`);
    }
    told = faults;
  };
}

/** Never runs `look` twice at once. */
function repeat(look: () => Promise<void>, everyMs: number): () => void {
  let isLooking = false;
  const timer = setInterval(() => {
    if (isLooking) return;
    isLooking = true;
    void look().finally(() => {
      isLooking = false;
    });
  }, everyMs);
  timer.unref();
  return () => clearInterval(timer);
}
