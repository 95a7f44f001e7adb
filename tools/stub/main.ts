/**
 * `node tools/stub/main.ts [--port 9292]` runs the stub provider until it is told to stop. Its first line of output is
 * `{"port":N}`. Keys are those of envoy/secrets; see control.ts for how to steer it from outside.
 */
import { parseArgs } from 'node:util';
import { systemCodeOf } from '../../src/core/errors.ts';
import { startStub } from './server.ts';

const { values } = parseArgs({ options: { port: { type: 'string', default: '9292' } } });
try {
  const stub = await startStub({ port: Number(values.port) });
  process.stdout.write(`${JSON.stringify({ port: stub.port })}\n`);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stub.stop());
} catch (error) {
  if (systemCodeOf(error) !== 'EADDRINUSE') throw error;
  process.stderr.write(`port \`${values.port}\` is in use: stop what listens there, or choose another with --port\n`);
  process.exitCode = 1;
}
