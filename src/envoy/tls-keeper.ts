/** Keeps what a listener proves itself with as its files are: a changed set that is sound is taken, another one is not. */
import type { Clock } from '../core/clock.ts';
import { DAY_MS } from '../core/day.ts';
import { TollgateError } from '../core/errors.ts';
import type { TlsFiles } from '../policy/settings-tls.ts';
import { readTlsFiles, type TlsMaterial, type Validity } from './tls-files.ts';

/** `soon` and `last` warn of the end, `expired` tells of it. */
export type ExpiryStage = 'soon' | 'last' | 'expired';

export type TlsEvent =
  /** New handshakes use the new files. */
  | { readonly kind: 'changed'; readonly file: string; readonly untilMs: number }
  /** The files changed into something that cannot be used; the last good ones stay. */
  | { readonly kind: 'refused'; readonly file: string; readonly detail: string }
  | {
      readonly kind: 'expiry';
      readonly stage: ExpiryStage;
      readonly what: 'certificate' | 'client_ca';
      readonly file: string;
      readonly untilMs: number;
    };

/**
 * How near the end is: `soon` in the last 14 days, `last` on the last day; of a short life its last quarter and its last
 * twelfth, so that certificates of an hour do not warn all their life. Undefined: far away.
 */
export function expiryStage({ fromMs, untilMs }: Validity, nowMs: number): ExpiryStage | undefined {
  const leftMs = untilMs - nowMs;
  const lifeMs = untilMs - fromMs;
  if (leftMs <= 0) return 'expired';
  if (leftMs <= Math.min(DAY_MS, lifeMs / 12)) return 'last';
  return leftMs <= Math.min(14 * DAY_MS, lifeMs / 4) ? 'soon' : undefined;
}

/** The files of one listener, or of several that share them. */
export class TlsKeeper {
  readonly #files: TlsFiles;
  readonly #clock: Clock;
  readonly #tell: (event: TlsEvent) => void;
  readonly #listeners = new Set<(material: TlsMaterial) => void>();
  /** What was told of the end, by what ends and when: once for each stage. */
  readonly #told = new Map<'certificate' | 'client_ca', string>();
  #material: TlsMaterial;
  /** The fault that the last look found, and whether it was told. */
  #fault: { readonly detail: string; told: boolean } | undefined;

  /** Reads the files. Throws `secret_unreadable`. Expired ones are taken, and told: nobody else could say so. */
  static async open(
    files: TlsFiles,
    { clock, tell }: { readonly clock: Clock; readonly tell: (event: TlsEvent) => void },
  ): Promise<TlsKeeper> {
    const keeper = new TlsKeeper(files, { clock, tell, material: await readTlsFiles(files) });
    keeper.#watchExpiry();
    return keeper;
  }

  private constructor(
    files: TlsFiles,
    options: { readonly clock: Clock; readonly tell: (event: TlsEvent) => void; readonly material: TlsMaterial },
  ) {
    this.#files = files;
    this.#clock = options.clock;
    this.#tell = options.tell;
    this.#material = options.material;
  }

  get material(): TlsMaterial {
    return this.#material;
  }

  /** Calls `listener` at every change from now on; answers how to stop that. */
  onChange(listener: (material: TlsMaterial) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Looks at the files and takes what is new. Never rejects. A fault is told when a second look finds it again: three files
   * that are replaced one by one do not fit each other for a moment.
   */
  async refresh(): Promise<void> {
    try {
      const found = await readTlsFiles(this.#files);
      if (found.version !== this.#material.version) this.#take(found);
      this.#fault = undefined;
    } catch (error) {
      this.#refuse(error instanceof TollgateError ? error.message : 'TLS files cannot be used');
    }
    this.#watchExpiry();
  }

  #take(found: TlsMaterial): void {
    const nowMs = this.#clock.nowMs();
    const isWorse = nowMs >= found.certificate.untilMs && nowMs < this.#material.certificate.untilMs;
    if (isWorse) throw new TollgateError('secret_unreadable', `TLS certificate \`${this.#files.cert}\` has expired`);
    this.#material = found;
    for (const listener of this.#listeners) listener(found);
    this.#tell({ kind: 'changed', file: this.#files.cert, untilMs: found.certificate.untilMs });
  }

  #refuse(detail: string): void {
    if (this.#fault?.detail !== detail) {
      this.#fault = { detail, told: false };
    } else if (!this.#fault.told) {
      this.#fault.told = true;
      this.#tell({ kind: 'refused', file: this.#files.cert, detail });
    }
  }

  #watchExpiry(): void {
    for (const [what, validity, file] of [
      ['certificate', this.#material.certificate, this.#files.cert],
      ['client_ca', this.#material.clientCa, this.#files.clientCa],
    ] as const) {
      const stage = expiryStage(validity, this.#clock.nowMs());
      const state = `${stage} ${validity.untilMs}`;
      if (this.#told.get(what) === state) continue;
      this.#told.set(what, state);
      if (stage !== undefined) this.#tell({ kind: 'expiry', stage, what, file, untilMs: validity.untilMs });
    }
  }
}
