/** Who may use what: access.yaml and the plan together, for each declared account, route, model and class. */
import type { AccessParts } from '../access-rules.ts';
import { compileAccountPatterns } from '../glob.ts';
import type { Policy } from '../policy.ts';
import type { Change, DiffPorts, Side } from './change.ts';

export function* diffAccess(before: Side, after: Side, ports: DiffPorts): Generator<Change, void> {
  const [was, is] = [new Reach(before, ports), new Reach(after, ports)];
  const told = new Map<string, readonly Omit<Change, 'of'>[]>();
  for (const account of new Set([...namesOf(before), ...namesOf(after)])) {
    // Accounts that bought the same and that the same rules match may do the same.
    const [kindWas, kindIs] = [was.kindOf(account), is.kindOf(account)];
    const key = `${kindWas}\n\n${kindIs}`;
    let changes = told.get(key);
    if (changes === undefined) {
      changes = [...reachChanges(was.usesOf(account, kindWas), is.usesOf(account, kindIs))];
      told.set(key, changes);
    }
    for (const change of changes) yield { ...change, of: account };
  }
  yield* diffBlocked(before.parts.access, after.parts.access);
}

/** Declared accounts, and those that rules and keys name though nobody declared them. */
function* namesOf({ parts: { accounts, access, keys } }: Side): Generator<string, void> {
  yield* accounts.keys();
  for (const pattern of [access.blocked.accounts, ...access.rules.map((rule) => rule.accounts)].flat()) {
    if (pattern !== '**') yield pattern.replace(/\/\*\*$/, '');
  }
  for (const { account } of keys.values()) yield account;
}

/** What accounts of one kind may use: routes and models, each with its classes. */
class Reach {
  readonly #policy: Policy;
  readonly #ports: DiffPorts;
  readonly #rules: readonly ((account: string) => boolean)[];
  readonly #uses = new Map<string, ReadonlyMap<string, readonly string[]>>();

  constructor({ policy, parts: { access } }: Side, ports: DiffPorts) {
    this.#policy = policy;
    this.#ports = ports;
    this.#rules = [access.blocked.accounts, ...access.rules.map(({ accounts }) => accounts)].map(
      compileAccountPatterns,
    );
  }

  kindOf(account: string): string {
    const known = this.#policy.account(account);
    if (known === undefined) return '';
    return `${known.plan?.name ?? ''} ${this.#rules.map((matches) => (matches(account) ? '1' : '0')).join('')}`;
  }

  usesOf(account: string, kind: string): ReadonlyMap<string, readonly string[]> {
    let uses = this.#uses.get(kind);
    if (uses === undefined) {
      uses = kind === '' ? new Map() : this.#find(account);
      this.#uses.set(kind, uses);
    }
    return uses;
  }

  #find(account: string): ReadonlyMap<string, readonly string[]> {
    const { routes, models, classes } = this.#policy;
    const uses = new Map<string, readonly string[]>();
    for (const route of routes.values()) {
      for (const model of route.metered ? models.byName.keys() : [undefined]) {
        const open = classes.filter((name) =>
          this.#ports.mayUse(this.#policy, { account, route: route.name, model, class: name }),
        );
        const what = model === undefined ? `route \`${route.name}\`` : `model \`${model}\` on route \`${route.name}\``;
        if (open.length > 0) uses.set(what, open);
      }
    }
    return uses;
  }
}

function* reachChanges(
  was: ReadonlyMap<string, readonly string[]>,
  is: ReadonlyMap<string, readonly string[]>,
): Generator<Omit<Change, 'of'>, void> {
  for (const what of new Set([...was.keys(), ...is.keys()])) {
    const [old = [], now = []] = [was.get(what), is.get(what)];
    const gained = now.filter((name) => !old.includes(name));
    const lost = old.filter((name) => !now.includes(name));
    const isAll = old.length === 0 || now.length === 0;
    const as = (classes: readonly string[]): string => (isAll ? '' : ` as ${classes.join(', ')}`);
    if (gained.length > 0) yield { effect: 'gain', about: 'account', text: `may use ${what}${as(gained)}` };
    if (lost.length > 0) yield { effect: 'lose', about: 'account', text: `may no longer use ${what}${as(lost)}` };
  }
}

/** Credentials, actors and models alone: blocked accounts stand with what they lose. */
function* diffBlocked(was: AccessParts, is: AccessParts): Generator<Change, void> {
  for (const what of ['credentials', 'actors', 'models'] as const) {
    const noun = what.slice(0, -1);
    const [old, now] = [was.blocked[what], is.blocked[what]];
    for (const name of now) {
      if (!old.includes(name))
        yield { effect: 'lose', about: 'bundle', of: '', text: `${noun} \`${name}\` is blocked` };
    }
    for (const name of old) {
      if (!now.includes(name))
        yield { effect: 'gain', about: 'bundle', of: '', text: `${noun} \`${name}\` is no longer blocked` };
    }
  }
}
