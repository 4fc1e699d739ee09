/** What becomes of a server whose clock is wrong, or is set while it runs. */
import { beforeAll, describe, expect, test } from 'vitest';
import { clockToSet, hasFaketime } from '../../support/clock.ts';
import { certifyLocalhost, organizationCode, registeredMachine } from '../../support/keytrustee.ts';
import { ownedDirectory, sharedServer, until } from '../../support/sandbox.ts';
import { ask, configure, serving } from '../../support/serving.ts';

const server = sharedServer();
const LIMIT = 40;
let clock: Awaited<ReturnType<typeof clockToSet>>;
let code: string;

describe.skipIf(!hasFaketime)('needs faketime', () => {
  beforeAll(async () => {
    await certifyLocalhost(server);
    await configure(server, { RATE_LIMIT_ADDRESS: LIMIT });
    code = await organizationCode(server, 'prod');
    clock = await clockToSet(await ownedDirectory(server.directory, 'clock'));
  });

  test('defect: a client that was new was unknown to a server whose clock was behind', async () => {
    const { port } = await serving(server, { env: clock.env });
    await clock.set(-3600);
    const machine = await registeredMachine(server, { port, organization: 'prod', code });
    expect(await machine.keytrustee(['put', '--handle', 'key', '-'], { input: 'content' })).toMatchObject({
      ...{ status: 0, stderr: '' },
    });
    expect(await machine.keytrustee(['get', 'key'])).toMatchObject({ status: 0, stdout: 'content' });
  });

  test('defect: a clock that was set back had an address refused for as long', async () => {
    await clock.set(0);
    const { port } = await serving(server, { env: clock.env });
    const fingerprint = () => ask(port, '/?a=fingerprint');
    for (let count = 0; count < LIMIT; count += 1) expect((await fingerprint()).status).toBe(200);
    expect((await fingerprint()).status).toBe(429);
    await clock.set(-3600);
    const hoursAgo = async () =>
      Math.round((Date.now() - Date.parse(`${(await fingerprint()).headers.date}`)) / 3_600_000);
    await until(async () => (await hoursAgo()) === 1, 'the server has the other time');
    const { status, headers } = await fingerprint();
    expect(status).toBe(429);
    expect(Number(headers['retry-after'])).toBeLessThanOrEqual(60);
  });
});
