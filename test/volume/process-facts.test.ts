import assert from 'node:assert/strict';
import { test } from 'node:test';
import { factsOf, unitOf } from '../../src/volume/process-facts.ts';

const id = '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef';

test('the unit or container that a process is in, from both versions of control groups', () => {
  const cases: readonly [string, string | null][] = [
    ['0::/\n', null],
    ['', null],
    ['0::/system.slice/nginx.service\n', 'nginx.service'],
    ['0::/system.slice/nginx.service/workers\n', 'nginx.service'],
    ['0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-player.scope\n', 'app-player.scope'],
    [`0::/system.slice/docker-${id}.scope\n`, 'docker 0123456789ab'],
    [`0::/docker/${id}\n`, 'docker 0123456789ab'],
    [`0::/docker/${id}/init\n`, 'docker 0123456789ab'],
    [`0::/machine.slice/libpod-${id}.scope/container\n`, 'podman 0123456789ab'],
    [`0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-${id}.scope\n`, 'containerd 0123456789ab'],
    ['0::/lxc.payload.web1/system.slice/nginx.service\n', 'nginx.service'],
    ['12:pids:/a.service\n1:name=systemd:/system.slice/icecast2.service\n', 'icecast2.service'],
  ];
  for (const [cgroup, unit] of cases) assert.equal(unitOf(cgroup), unit, cgroup);
});

test('facts of this process, and of one that is not there', async () => {
  const { command, user } = await factsOf(process.pid);
  assert.match(command, /node/);
  assert.equal(user, 'root');
  assert.deepEqual(await factsOf(2 ** 22 + 1), { command: '', unit: null, user: null });
});
