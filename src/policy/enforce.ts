import type { Enforce } from '../core/units.ts';

/** `off` before `observe` before `on`: what stands around a thing can only weaken its enforcement. */
export function weakest(modes: readonly (Enforce | undefined)[]): Enforce {
  if (modes.includes('off')) return 'off';
  return modes.includes('observe') ? 'observe' : 'on';
}
