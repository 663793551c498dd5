import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deviceMapperUsable } from '../../src/luks/device-mapper.ts';
import { Luks } from '../../src/luks/luks.ts';
import { parseStatus } from '../../src/luks/status.ts';

const usable = await deviceMapperUsable();

test('without device-mapper a mapping is refused with the reason, and closing finds nothing', {
  skip: usable && 'this kernel has device-mapper',
}, async () => {
  const luks = new Luks();
  const key = Buffer.from('key');
  await assert.rejects(luks.open({ device: '/dev/loop0', name: 'vol', key }), { code: 'engine-unavailable' });
  await assert.rejects(luks.status('vol'), { code: 'engine-unavailable' });
  assert.equal(await luks.close('vol'), false);
});

test('a name cannot lead elsewhere', async () => {
  const luks = new Luks();
  for (const name of ['', '../x', '-x', 'a/b', 'a\nb']) {
    await assert.rejects(luks.open({ device: '/dev/loop0', name, key: Buffer.from('k') }), {
      code: 'invalid-argument',
    });
  }
});

test('the status of a mapping over a loop device', () => {
  const text = `/dev/mapper/vol is active and is in use.
  type:    LUKS2
  cipher:  aes-xts-plain64
  keysize: 512 bits
  key location: dm-crypt
  device:  /dev/loop3
  loop:    /storage/containers/vol.luks
  sector size:  4096
  offset:  32768 sectors
  size:    8192 sectors
  mode:    read/write
`;
  assert.deepEqual(parseStatus(text), {
    type: 'LUKS2',
    cipher: 'aes-xts-plain64',
    keyBits: 512,
    sectorSize: 4096,
    device: '/dev/loop3',
    loopFile: '/storage/containers/vol.luks',
    offset: 16 << 20,
    size: 4 << 20,
    readOnly: false,
    inUse: true,
  });
  assert.equal(parseStatus(text.replace('read/write', 'readonly')).readOnly, true);
});
