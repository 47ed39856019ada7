'use strict';
// Drives the server at ZK_ADDRESS through the package zookeeper, which is Apache's C client in Node.
const assert = require('node:assert/strict');
const { constants, Promise: Client } = require('zookeeper');
const { Relay, run, within } = require('./steps.js');

const ADDRESS = process.env.ZK_ADDRESS;
let zk;

async function connect(address = ADDRESS) {
  const options = { connect: address, timeout: 10_000, debug_level: 1, host_order_deterministic: false };
  const client = new Client(options);
  const connected = client.on_connected();
  client.init(options);
  await within('connected', connected);
  return client;
}

async function refused(code, promise) {
  const error = await promise.then(() => undefined, (caught) => caught);
  assert.ok(error, `expected ${code}, and it was carried out`);
  assert.equal(Number(error.message.split(' ')[0]), code, error.message);
}

/** A watcher, and a promise of what it is told; the C client tells it the states too. */
function watch() {
  let tell;
  const told = new Promise((resolve) => {
    tell = (type, state, path) => {
      if (type !== constants.ZOO_SESSION_EVENT) {
        resolve([type, path]);
      }
    };
  });
  return [tell, async (type, path) => assert.deepEqual(await within(path, told), [type, path])];
}

async function reads() {
  assert.equal(await zk.create('/native', 'data', 0), '/native');
  let [stat, data] = await zk.get('/native', false);
  assert.deepEqual([data.toString(), stat.version, stat.dataLength], ['data', 0, 4]);
  stat = await zk.set('/native', 'more', 0);
  assert.equal(stat.version, 1);
  assert.equal(await zk.create('/native/s', '', constants.ZOO_SEQUENCE), '/native/s0000000000');
  const mine = await zk.create('/native/s', '', constants.ZOO_SEQUENCE | constants.ZOO_EPHEMERAL);
  assert.equal(mine, '/native/s0000000001');
  assert.deepEqual((await zk.get_children('/native', false)).sort(), ['s0000000000', 's0000000001']);
  const [names, parent] = await zk.get_children2('/native', false);
  assert.deepEqual([names.length, parent.numChildren, parent.cversion], [2, 2, 2]);
  const owner = (await zk.exists(mine, false)).ephemeralOwner;
  assert.equal(BigInt(`0x${owner}`), BigInt(`0x${zk.client_id}`));
  assert.equal(await zk.pathExists('/none', false), false);
  await zk.sync('/native');
  const ttl = await zk.create('/native/ttl', '', constants.ZOO_PERSISTENT_WITH_TTL, 3_600_000);
  assert.equal(ttl, '/native/ttl');
  await zk.create('/native/c', '', constants.ZOO_CONTAINER);
  await zk.delete_('/native/ttl', -1);
  assert.equal(await zk.pathExists('/native/ttl', false), false);
}

async function refusals() {
  await zk.create('/no', '', 0);
  await refused(constants.ZNODEEXISTS, zk.create('/no', '', 0));
  await refused(constants.ZNONODE, zk.get('/none', false));
  await refused(constants.ZBADVERSION, zk.set('/no', '', 5));
  await zk.create('/no/e', '', constants.ZOO_EPHEMERAL);
  await refused(constants.ZNOTEMPTY, zk.delete_('/no', -1));
  await refused(constants.ZNOCHILDRENFOREPHEMERALS, zk.create('/no/e/x', '', 0));
}

async function acls() {
  await zk.create('/acl', '', 0);
  const acl = await zk.get_acl('/acl');
  assert.ok(JSON.stringify(acl).includes('anyone'), JSON.stringify(acl));
  await zk.set_acl('/acl', 0, [{ perms: 31, scheme: 'digest', auth: 'ann:7RJfAeIvrl4zdj6sS2fXrQHDvHM=' }]);
  await refused(constants.ZNOAUTH, zk.get('/acl', false));
  const ann = await connect();
  await within('auth', new Promise((resolve, reject) => {
    ann.add_auth('digest', 'ann:secret', (rc) => (rc === 0 ? resolve() : reject(new Error(`${rc}`))));
  }));
  await ann.get('/acl', false);
  ann.close();
}

async function watches() {
  await zk.create('/w', '', 0);
  const [data, dataTold] = watch();
  const [children, childrenTold] = watch();
  const [exists, existsTold] = watch();
  await zk.w_get('/w', data);
  await zk.w_get_children('/w', children);
  await refused(constants.ZNONODE, zk.w_exists('/w/x', exists));
  await zk.create('/w/x', '', 0);
  await existsTold(constants.ZOO_CREATED_EVENT, '/w/x');
  await childrenTold(constants.ZOO_CHILD_EVENT, '/w');
  await zk.set('/w', 'x', -1);
  await dataTold(constants.ZOO_CHANGED_EVENT, '/w');
}

async function reconnects() {
  const relay = new Relay();
  const cut = await connect(await relay.open(ADDRESS));
  const { client_id: session } = cut;
  await cut.create('/cut', '', constants.ZOO_EPHEMERAL);
  await zk.create('/cut-data', '', 0);
  const [data, told] = watch();
  await cut.w_get('/cut-data', data);
  const connecting = new Promise((resolve) => { cut.once('connecting', resolve); });
  relay.cut();
  await within('connecting', connecting);
  await zk.set('/cut-data', 'x', -1);
  const back = cut.on_connected();
  relay.mend();
  await within('connected again', back);
  await told(constants.ZOO_CHANGED_EVENT, '/cut-data');
  assert.equal(cut.client_id, session);
  assert.equal(await cut.pathExists('/cut', false), true);
  const [ended, endedTold] = watch();
  await zk.w_exists('/cut', ended);
  cut.close();
  await endedTold(constants.ZOO_DELETED_EVENT, '/cut');
}

async function main() {
  zk = await connect();
  await run([['create, get, set, children', reads], ['refusals', refusals], ['acl', acls],
    ['watches', watches], ['reconnect', reconnects]]);
}

main();
