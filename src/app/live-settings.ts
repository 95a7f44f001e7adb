import type { Settings } from '../policy/settings.ts';
import type { PolicyNews } from './policy-news.ts';

/** Settings that may change while the process runs, each with what to do then; the others need a restart. */
export type Reloadable = Partial<Record<keyof Settings, (settings: Settings) => void>>;

/** The settings in force. */
export class LiveSettings {
  readonly #reloadable: Reloadable;
  readonly #news: PolicyNews;
  #settings: Settings;
  #told = '';

  constructor(
    settings: Settings,
    { reloadable, news }: { readonly reloadable: Reloadable; readonly news: PolicyNews },
  ) {
    this.#settings = settings;
    this.#reloadable = reloadable;
    this.#news = news;
  }

  /** Takes what can be taken while the process runs, and says what cannot, once. */
  take(settings: Settings): void {
    const changed = changedKeys(this.#settings, settings);
    const vain = changed.filter((key) => this.#reloadable[key] === undefined);
    for (const key of changed) this.#reloadable[key]?.(settings);
    const live = changed.filter((key) => !vain.includes(key));
    this.#settings = { ...this.#settings, ...Object.fromEntries(live.map((key) => [key, settings[key]])) };
    if (live.length > 0) this.#news.settingsTaken(live);
    const text = vain.join();
    if (text !== '' && text !== this.#told) this.#news.restartNeeded(vain);
    this.#told = text;
  }
}

function changedKeys(before: Settings, after: Settings): readonly (keyof Settings)[] {
  const keys = Object.keys(after) as (keyof Settings)[];
  return keys.filter((key) => textOf(before[key]) !== textOf(after[key]));
}

/** With maps and sets, which JSON leaves out. */
function textOf(value: unknown): string {
  return (
    JSON.stringify(value, (_key, each: unknown) => (each instanceof Map || each instanceof Set ? [...each] : each)) ??
    ''
  );
}
