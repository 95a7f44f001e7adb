import { findEnvoy } from '../../tools/envoy/find.ts';
import { type Gateway, type GatewayOptions, startGateway } from '../../tools/envoy/gateway.ts';
import type { Scope } from './scope.ts';
import { tempDir } from './temp.ts';

/** What `describe` and `test` take: why all is skipped, or `false`. */
export interface EnvoyNeed {
  readonly skip: string | false;
}

/** Whether tests through Envoy can run here. A missing Envoy is a loud skip at a desk, and an error where CI=true. */
export async function needEnvoy(): Promise<EnvoyNeed> {
  try {
    await findEnvoy();
    return { skip: false };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    if (process.env['CI'] === 'true') throw error;
    process.stderr.write(`SKIPPED, NOT PROVEN: tests through Envoy: ${why}\n`);
    return { skip: why };
  }
}

/** The stub and the sample Envoy in front of it, for the time of the scope. Ports are free ones unless given. */
export async function gatewayFor(scope: Scope, options: Omit<GatewayOptions, 'dir'>): Promise<Gateway> {
  const gateway = await startGateway({ ...options, dir: await tempDir(scope) });
  scope.after(() => gateway.stop());
  return gateway;
}
