/** A collector in a thread of its own: `silent` takes what is sent and never answers, `slow` answers after half a second. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';

const SLOW_MS = 500;

const server = createServer(async (request, response) => {
  request.resume();
  await once(request, 'end');
  if (workerData === 'silent') return;
  if (workerData === 'slow') await sleep(SLOW_MS);
  response.writeHead(200).end();
});
server.listen(0, '127.0.0.1', () => parentPort?.postMessage((server.address() as AddressInfo).port));
