/** What the processes of a server present, as monitoring is told. */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { checkPresented } from '../../../src/lib/health/serving.ts';
import { authority } from '../../support/authority.ts';
import { temporaryDirectory } from '../../support/sandbox.ts';

const HOST = 'kts01.example.com';

test('defect: one of three processes presented another certificate, and all was said to be well', async () => {
  const ca = await authority(await temporaryDirectory(), HOST);
  for (const name of ['a', 'b']) await ca.issue(name);
  const pairOf = async (name: string) => ({
    cert: await readFile(ca.at(`${name}.pem`)),
    key: await readFile(ca.at(`${name}.key`)),
  });
  const [a, b] = [await pairOf('a'), await pairOf('b')];
  const listener = createServer(a).listen(0, '127.0.0.1');
  onTestFinished(() => void listener.close());
  await new Promise((resolve) => listener.once('listening', resolve));
  // Each third connection meets the process that is different.
  let count = 0;
  listener.on('secureConnection', () => {
    count += 1;
    listener.setSecureContext(count % 3 === 2 ? b : a);
  });
  const { port } = listener.address() as { port: number };
  const state = { pid: 1, addresses: [`https://127.0.0.1:${port}`], workers: 3 };
  const look = (cert: Buffer) => checkPresented(state, HOST, [new X509Certificate(cert)]);
  const differs = (message: string) => ({ state: 'WARNING', message, hint: 'systemctl reload keytrusteed' });
  const some = 'some of its processes present another certificate than keytrustee.conf names';
  expect(await look(a.cert)).toEqual(differs(some));
  listener.removeAllListeners('secureConnection').setSecureContext(b);
  expect(await look(a.cert)).toEqual(differs('another certificate than keytrustee.conf names'));
  expect(await look(b.cert)).toMatchObject({ state: 'OK' });
});
