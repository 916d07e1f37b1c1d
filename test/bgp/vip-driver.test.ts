import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IpVipDriver, VIP_METRIC } from '../../src/bgp/vip-driver.ts';
import type { Host } from '../../src/net/host.ts';

/** Records what is run, and answers with `output`. */
function recorder(output: string): { host: Host; runs: string[][]; inputs: string[] } {
  const runs: string[][] = [];
  const inputs: string[] = [];
  const never = (): Promise<never> => Promise.reject(new Error('no file is touched'));
  const run = async (program: string, args: readonly string[], input = ''): Promise<string> => {
    runs.push([program, ...args]);
    inputs.push(input);
    return output;
  };
  return { host: { run, read: never, write: never }, runs, inputs };
}

test('what carries our metric is ours; what does not answer yet is not there', async () => {
  const addr_info = [
    { local: '127.0.0.1', prefixlen: 8 },
    { local: '198.18.80.80', prefixlen: 32, metric: VIP_METRIC },
    { local: '198.18.80.81', prefixlen: 32, metric: 5 },
    { local: '2001:db8:0:0::80', prefixlen: 128, metric: VIP_METRIC },
    { local: '2001:db8::81', prefixlen: 128, tentative: true },
    { local: '2001:db8::82', prefixlen: 128, dadfailed: true },
    {},
  ];
  const { host, runs } = recorder(JSON.stringify([{ ifname: 'lo', addr_info }]));
  assert.deepEqual(await new IpVipDriver(host, 'lo').list(), [
    { address: '127.0.0.1', ours: false },
    { address: '198.18.80.80', ours: true },
    { address: '198.18.80.81', ours: false },
    { address: '2001:db8::80', ours: true },
  ]);
  assert.deepEqual(runs, [['ip', '-json', 'address', 'show', 'dev', 'lo']]);
  assert.deepEqual(await new IpVipDriver(recorder('[]').host, 'lo').list(), []);
});

test('all changes are one batch, with our mark and without asking who has the address', async () => {
  const { host, runs, inputs } = recorder('');
  const driver = new IpVipDriver(host, 'vips0');
  await driver.change(['198.18.80.80', '2001:db8::80'], ['198.18.80.81']);
  assert.deepEqual(runs, [['ip', '-force', '-batch', '-']]);
  assert.deepEqual(inputs[0]!.split('\n'), [
    `address add 198.18.80.80/32 dev vips0 metric ${VIP_METRIC}`,
    `address add 2001:db8::80/128 dev vips0 metric ${VIP_METRIC} nodad`,
    'address del 198.18.80.81/32 dev vips0',
    '',
  ]);
});

test('a name that could be more than a name never reaches a batch', () => {
  for (const name of ['', 'a b', 'lo\nlink', 'a/b', 'sixteen-letters-']) {
    assert.throws(() => new IpVipDriver(recorder('').host, name), RangeError);
  }
});
