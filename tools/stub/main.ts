/**
 * `node tools/stub/main.ts [--port 9292]` runs the stub provider until it is told to stop. Its first line of output is
 * `{"port":N}`. Keys are those of envoy/secrets; see control.ts for how to steer it from outside.
 */
import { parseArgs } from 'node:util';
import { systemCodeOf } from '../../src/core/errors.ts';
import { startStub } from './server.ts';

const HELP = `npm run -s stub -- [--port N]

A provider that answers as OpenAI and Anthropic do and calls no model, until Ctrl-C.

  --port N   port on 127.0.0.1 (default 9292; 0: any free one)

Exit codes: 0 stopped, 1 the port is in use, 2 wrong usage
`;

async function main(): Promise<number> {
  const port = readPort();
  if (typeof port !== 'number') return port.code;
  try {
    const stub = await startStub({ port });
    process.stdout.write(`${JSON.stringify({ port: stub.port })}\n`);
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stub.stop());
    return 0;
  } catch (error) {
    if (systemCodeOf(error) !== 'EADDRINUSE') throw error;
    process.stderr.write(`port \`${port}\` is in use: stop what listens there, or choose another with --port\n`);
    return 1;
  }
}

/** The port, or the code to exit with. */
function readPort(): number | { readonly code: number } {
  try {
    const { values } = parseArgs({
      options: { port: { type: 'string', default: '9292' }, help: { type: 'boolean', short: 'h' } },
    });
    if (values.help === true) {
      process.stdout.write(HELP);
      return { code: 0 };
    }
    if (!/^[0-9]{1,5}$/.test(values.port) || Number(values.port) > 65_535)
      throw new TypeError(`\`--port\` must be 0 to 65535; got \`${values.port}\``);
    return Number(values.port);
  } catch (error) {
    process.stderr.write(`stub: ${error instanceof Error ? error.message : String(error)}\n${HELP}`);
    return { code: 2 };
  }
}

process.exitCode = await main();
