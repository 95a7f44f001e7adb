import type { StubBehaviour } from '../stub/behaviour.ts';
import { type Stub, startStub } from '../stub/server.ts';
import {
  type Endpoint,
  type ProviderName,
  providersAt,
  type WriteBootstrapOptions,
  writeBootstrap,
} from './bootstrap.ts';
import { type RunningEnvoy, startEnvoy } from './start.ts';

export interface GatewayOptions extends Omit<WriteBootstrapOptions, 'providers'> {
  /** A directory of this run: bootstrap, secrets, Envoy's log. */
  readonly dir: string;
  /** Providers that are not the stub. */
  readonly providers?: Partial<Readonly<Record<ProviderName, Endpoint>>>;
  readonly behaviour?: Partial<StubBehaviour>;
  /** The Envoy to run; default: `findEnvoy()`. */
  readonly bin?: string;
}

/** A stub provider and the sample Envoy in front of it; Tollgate is the caller's to run. */
export interface Gateway {
  readonly envoy: RunningEnvoy;
  readonly stub: Stub;
  /** Where clients call, `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** The bootstrap that Envoy runs with. */
  readonly bootstrap: string;
  stop(): Promise<void>;
}

/** Starts both; Envoy serves when this resolves, whether Tollgate is there or not. Leaves nothing running if it fails. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const stub = await startStub();
  if (options.behaviour !== undefined) stub.setBehaviour(options.behaviour);
  try {
    const bootstrap = await writeBootstrap({
      ...options,
      providers: providersAt({ port: stub.port }, options.providers),
    });
    const envoy = await startEnvoy({ ...options, bootstrap });
    return {
      envoy,
      stub,
      url: envoy.url,
      bootstrap,
      async stop() {
        await envoy.stop();
        await stub.stop();
      },
    };
  } catch (error) {
    await stub.stop();
    throw error;
  }
}
