/** What should never happen is told to the operator, also where it happens on its own. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { clientOf, openStream } from '../envoy/client.ts';
import { encode, struct } from '../envoy/protos.ts';
import { spawnNode } from '../support/process.ts';
import { fileScope } from '../support/scope.ts';
import { tempDir } from '../support/temp.ts';
import { writeBundle } from '../support/tollgate.ts';

const scope = fileScope();

test('an access-log entry of somebody else’s decision is an orphan, and one line of the log', async () => {
  const dir = await tempDir(scope);
  await writeBundle(join(dir, 'bundle'), { callers: { any: { account: 'acme' } } });
  const child = spawnNode(scope, ['src/cli/main.ts', 'serve', '--config', join(dir, 'bundle')]);
  await child.line(/"code":"serving"/);
  const decision = { outcome: 'allow', decision_id: 'zzzzzzzz-0191e2a0-0000-7000-8000-000000000000' };
  const { stream } = openStream(
    clientOf({ kind: 'unix', path: join(dir, 'run', 'log') }, scope),
    '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs',
  );
  stream.write(
    encode('envoy.service.accesslog.v3.StreamAccessLogsMessage', {
      http_logs: {
        log_entry: [
          {
            common_properties: {
              access_log_type: 6,
              metadata: { filter_metadata: { 'envoy.filters.http.ext_authz': struct({ tollgate: decision }) } },
            },
          },
        ],
      },
    }),
  );
  const { input } = await child.line(/"code":"anomalies"/);
  const { level, orphans, conflicts } = JSON.parse(input) as Record<string, unknown>;
  assert.deepEqual([level, orphans, conflicts], ['warn', 1, undefined]);
  stream.cancel();
  assert.equal((await child.kill()).code, 0);
});
