/** Codes of what can go wrong with Envoy as a prop of demo and tests. */
export type EnvoyErrorCode = 'envoy_missing' | 'envoy_failed' | 'python_missing' | 'port_in_use';

/** Envoy cannot be found, installed or started. The message says what to do, for whoever ran the command. */
export class EnvoyError extends Error {
  readonly code: EnvoyErrorCode;

  constructor(code: EnvoyErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'EnvoyError';
    this.code = code;
  }
}
