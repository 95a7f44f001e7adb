/** grpc.health.v1: what Envoy's health checks and `grpc_health_probe` ask. */
import { type OutboundMethod, RPC_CODE, RpcError, type UnaryMethod } from './rpc.ts';
import { Reader } from './wire/reader.ts';
import { Writer } from './wire/writer.ts';

/** HealthCheckResponse.ServingStatus. */
const STATUS = { serving: 1, notServing: 2, serviceUnknown: 3 } as const;
const writer = new Writer();

/** The service that says whether the process lives: it depends on nothing but the loop that answers. */
export const LIVENESS = 'liveness';

/**
 * Serving or not, for the whole server (`''`) and for each of its services alike. Begins as not serving. `liveness` is always
 * served, whatever else is not.
 */
export class Health {
  readonly #services: ReadonlySet<string>;
  readonly #watchers = new Set<() => void>();
  #serving = false;

  /** `services`: full names, e.g. `envoy.service.auth.v3.Authorization`. */
  constructor(services: readonly string[]) {
    this.#services = new Set(['', LIVENESS, ...services]);
  }

  /** Tells every watcher if it changes. */
  set(serving: boolean): void {
    if (serving === this.#serving) return;
    this.#serving = serving;
    for (const tell of this.#watchers) tell();
  }

  /** Check: an unknown service is NOT_FOUND. */
  readonly check: UnaryMethod = {
    kind: 'unary',
    path: '/grpc.health.v1.Health/Check',
    handle: (request) => {
      const service = serviceOf(request);
      if (!this.#services.has(service)) throw new RpcError(RPC_CODE.notFound, 'unknown service');
      return this.#answer(service);
    },
  };

  /** Watch: the status now, and at each change. An unknown service is told so, and stays unknown. */
  readonly watch: OutboundMethod = {
    kind: 'outbound',
    path: '/grpc.health.v1.Health/Watch',
    open: (request, send) => {
      const service = serviceOf(request);
      const tell = (): void => send(this.#answer(service));
      tell();
      if (this.#services.has(service) && service !== LIVENESS) this.#watchers.add(tell);
      return () => this.#watchers.delete(tell);
    },
  };

  #answer(service: string): Uint8Array {
    writer.varint(1, STATUS[this.#statusOf(service)]);
    return writer.finish();
  }

  #statusOf(service: string): keyof typeof STATUS {
    if (!this.#services.has(service)) return 'serviceUnknown';
    return this.#serving || service === LIVENESS ? 'serving' : 'notServing';
  }
}

/** HealthCheckRequest.service. */
function serviceOf(request: Uint8Array): string {
  let service = '';
  const reader = new Reader(request);
  while (reader.more()) {
    if (reader.field() === 1) service = reader.text();
    else reader.skip();
  }
  return service;
}
