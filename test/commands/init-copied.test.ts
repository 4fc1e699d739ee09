/** `ktadmin init` as root on a fresh second host, after the documented rsync: the copy keeps the number of its owner. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { inNamespace, PRIVATE_ETC } from '../support/namespace.ts';
import { isRoot, world } from '../support/sandbox.ts';

/** A number that no account of a machine for tests has. */
const FOREIGN = 51_987;

const CONFDIR = '/var/lib/keytrustee/.keytrustee';

/** The first host's directory, and the line of the procedure that copies it. */
const COPY = `${PRIVATE_ETC}
mount -t tmpfs -o mode=0755 tmpfs /var/lib
mkdir "$PRIVATE/kts01"
cp -a "$TEMPLATE" "$PRIVATE/kts01/.keytrustee"
sed -i "s|\${TEMPLATE%/*}|/var/lib/keytrustee|" "$PRIVATE/kts01/.keytrustee/keytrustee.conf"
chown -R ${FOREIGN}:${FOREIGN} "$PRIVATE/kts01/.keytrustee"
rsync -zcav --exclude .ssl "$PRIVATE/kts01/.keytrustee" /var/lib/keytrustee/ >/dev/null
exec 2>&1
`;

const INIT = 'ktadmin init --external-address kts02.example.com';

/** Whose all of it is: one line where it is one account's. */
const OWNERS = `
find /var/lib/keytrustee -printf '%u:%g\\n' | sort -u
stat -c '%a %n' /var/lib/keytrustee ${CONFDIR} /var/lib/keytrustee/db /var/lib/keytrustee/audit
`;

const CREATED = 'Created the system account keytrustee';
const given = (before: string) => `${CONFDIR} belonged to ${before} on this host: given to keytrustee`;
const MADE = [
  'Dropped privileges to keytrustee',
  "INFO:keytrustee.server.util:Settings are a copy of another server's: EXTERNAL_ADDRESS was kts01.example.com, is kts02.example.com",
  'INFO:keytrustee.server.util:Creating self-signed cert',
  expect.stringMatching(/^Initialized directory for 4096R\/[0-9A-F]{40}$/),
];
const OWNED = [
  'keytrustee:keytrustee',
  '700 /var/lib/keytrustee',
  `700 ${CONFDIR}`,
  '700 /var/lib/keytrustee/db',
  '700 /var/lib/keytrustee/audit',
];

async function onSecondHost(lines: string) {
  const env = { KTADMIN_USER: '', TEMPLATE: join(world.directory, 'template', '.keytrustee') };
  const { status, stdout } = await inNamespace(`${COPY}${lines}`, { env });
  return { status, lines: stdout.trimEnd().split('\n') };
}

test.skipIf(!isRoot)(
  'defect: init became the account that has the number of the other host’s keytrustee',
  async () => {
    const machine = await onSecondHost(`useradd --uid ${FOREIGN} grafana
python3 -c 'import socket, sys
for name in sys.argv[1:]: socket.socket(socket.AF_UNIX).bind(name)' ${CONFDIR}/S.keytrusteed ${CONFDIR}/S.gpg-agent.extra
${INIT}${OWNERS}ls ${CONFDIR} | grep '^S\\.' || true
${INIT}`);
    const again = [MADE[0], MADE[3]];
    expect(machine).toEqual({
      status: 0,
      lines: [CREATED, given('grafana'), ...MADE, ...OWNED, ...again],
    });
  },
);

test.skipIf(!isRoot)('defect: init wanted an account that nothing had made; killed, it goes on', async () => {
  const machine = await onSecondHost(`KTADMIN_KILL_AT=give-tree ${INIT} || echo "status $?"
stat -c %U ${CONFDIR}
${INIT}${OWNERS}`);
  expect(machine).toEqual({
    status: 0,
    lines: [
      CREATED,
      expect.stringMatching(/ Killed /),
      'status 137',
      'root',
      given('root'),
      ...MADE,
      ...OWNED,
    ],
  });
});

test.skipIf(!isRoot)('defect: init could make no database in a home that rsync had made', async () => {
  const machine =
    await onSecondHost(`useradd --user-group --uid ${FOREIGN} --home-dir /var/lib/keytrustee keytrustee
stat -c '%U %a' /var/lib/keytrustee
${INIT}${OWNERS}`);
  expect(machine).toEqual({ status: 0, lines: ['root 755', ...MADE, ...OWNED] });
});

test.skipIf(!isRoot)('defect: a volume mounted as the home of a new server stayed root’s', async () => {
  const machine = await inNamespace(
    `${PRIVATE_ETC}
mount -t tmpfs -o mode=0755 tmpfs /var/lib
mkdir /var/lib/keytrustee
mount -t tmpfs -o mode=0755 tmpfs /var/lib/keytrustee
mkdir /var/lib/keytrustee/lost+found
ktadmin init --external-address kts01.example.com >/dev/null 2>&1
stat -c '%U %a' /var/lib/keytrustee
runuser -u keytrustee -- gpg --list-keys 2>&1 | grep -c 'keytrustee/.gnupg. created'`,
    { env: { KTADMIN_USER: '' } },
  );
  expect(machine).toMatchObject({ status: 0, stdout: 'keytrustee 700\n1\n' });
});

test.skipIf(!isRoot)('a link in a copy is not followed: nothing is given away', async () => {
  const machine = await onSecondHost(`useradd --uid ${FOREIGN} grafana
install -m 600 /dev/null /var/lib/other
ln -s /var/lib/other ${CONFDIR}/private-keys-v1.d/other
${INIT} || echo "status $?"
find ${CONFDIR} ! -type l -printf '%u\\n' | sort -u
stat -c %U /var/lib/other
rm ${CONFDIR}/private-keys-v1.d/other
ln /var/lib/other ${CONFDIR}/gpg.conf.old
${INIT} || echo "status $?"
stat -c %U /var/lib/other ${CONFDIR}`);
  const hint = 'ktadmin: hint: look what it is, and take it out of the directory';
  expect(machine).toEqual({
    status: 0,
    lines: [
      CREATED,
      `ktadmin: error: ${CONFDIR}/private-keys-v1.d/other is a symbolic link`,
      hint,
      'status 6',
      'grafana',
      'root',
      `ktadmin: error: ${CONFDIR}/gpg.conf.old has a second name`,
      hint,
      'status 6',
      'root',
      'grafana',
    ],
  });
});

test.skipIf(!isRoot)(
  'defect: a host with a certificate where the other one has its own kept the other one’s name',
  async () => {
    const settings = ['EXTERNAL_ADDRESS', 'SSL_CERTIFICATE', 'SSL_PRIVATE_KEY'];
    const show = settings.map((name) => `grep -o '"${name}": "[^"]*"' ${CONFDIR}/keytrustee.conf`).join('\n');
    const machine = await onSecondHost(`mkdir -m 755 /etc/kts
openssl req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=kts02.example.com -addext subjectAltName=DNS:kts02.example.com \
  -keyout /etc/kts/key.pem -out /etc/kts/cert.pem 2>/dev/null
useradd --uid ${FOREIGN} grafana
useradd --user-group --home-dir /var/lib/keytrustee keytrustee
chown keytrustee /etc/kts/key.pem
sed -i -E 's|"SSL_CERTIFICATE": "[^"]*"|"SSL_CERTIFICATE": "/etc/kts/cert.pem"|; s|"SSL_PRIVATE_KEY": "[^"]*"|"SSL_PRIVATE_KEY": "/etc/kts/key.pem"|' ${CONFDIR}/keytrustee.conf
${INIT}
${show}
ls ${CONFDIR}/.ssl 2>/dev/null || echo none`);
    expect(machine).toEqual({
      status: 0,
      lines: [
        given('grafana'),
        ...[MADE[0], MADE[1], MADE[3]],
        '"EXTERNAL_ADDRESS": "kts02.example.com"',
        '"SSL_CERTIFICATE": "/etc/kts/cert.pem"',
        '"SSL_PRIVATE_KEY": "/etc/kts/key.pem"',
        'none',
      ],
    });
  },
);
