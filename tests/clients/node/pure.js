'use strict';
// Drives the server at ZK_ADDRESS through node-zookeeper-client, which is written in JavaScript.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const zookeeper = require('node-zookeeper-client');
const { Relay, call, run, within } = require('./steps.js');

const { ACL, CreateMode, Event, Exception, Id, Permission } = zookeeper;
const ADDRESS = process.env.ZK_ADDRESS;
const OPTIONS = { sessionTimeout: 10_000, spinDelay: 100, retries: 3 };
let zk;

async function connect(address = ADDRESS, options = OPTIONS) {
  const client = zookeeper.createClient(address, options);
  client.connect();
  await within('connected', once(client, 'connected'));
  return client;
}

async function refused(code, promise) {
  const error = await promise.then(() => undefined, (caught) => caught);
  assert.ok(error, `expected ${code}, and it was carried out`);
  assert.equal(error.getCode(), code);
}

/** A watcher, and a promise of what it is told. */
function watch() {
  let tell;
  const told = new Promise((resolve) => { tell = resolve; });
  return [tell, (type, path) => within(path, told).then((event) => {
    assert.deepEqual([event.getType(), event.getPath()], [type, path]);
  })];
}

async function reads() {
  assert.deepEqual(await call(zk, 'create', '/pure', Buffer.from('data')), ['/pure']);
  let [data, stat] = await call(zk, 'getData', '/pure');
  assert.equal(data.toString(), 'data');
  assert.deepEqual([stat.version, stat.dataLength, stat.numChildren], [0, 4, 0]);
  assert.deepEqual(stat.czxid, stat.mzxid);
  [stat] = await call(zk, 'setData', '/pure', Buffer.from('more'), 0);
  assert.equal(stat.version, 1);
  const sequential = CreateMode.PERSISTENT_SEQUENTIAL;
  assert.deepEqual(await call(zk, 'create', '/pure/s', sequential), ['/pure/s0000000000']);
  const [made] = await call(zk, 'create', '/pure/s', CreateMode.EPHEMERAL_SEQUENTIAL);
  assert.equal(made, '/pure/s0000000001');
  let [names] = await call(zk, 'getChildren', '/pure');
  assert.deepEqual(names.sort(), ['s0000000000', 's0000000001']);
  [stat] = await call(zk, 'exists', made);
  assert.deepEqual(stat.ephemeralOwner, zk.getSessionId());
  assert.deepEqual((await call(zk, 'exists', '/none'))[0] ?? null, null);
  await call(zk, 'mkdirp', '/pure/deep');
  [names] = await call(zk, 'listSubTreeBFS', '/pure');
  assert.equal(names.length, 4);
  await call(zk, 'removeRecursive', '/pure');
  assert.deepEqual((await call(zk, 'exists', '/pure'))[0] ?? null, null);
}

async function refusals() {
  await call(zk, 'create', '/no');
  await refused(Exception.NODE_EXISTS, call(zk, 'create', '/no'));
  await refused(Exception.NO_NODE, call(zk, 'getData', '/none'));
  await refused(Exception.BAD_VERSION, call(zk, 'setData', '/no', Buffer.from(''), 5));
  await call(zk, 'create', '/no/child', CreateMode.EPHEMERAL);
  await refused(Exception.NOT_EMPTY, call(zk, 'remove', '/no', -1));
  await refused(Exception.NO_CHILDREN_FOR_EPHEMERALS, call(zk, 'create', '/no/child/x'));
  const bad = [new ACL(Permission.ALL, new Id('nonsense', 'x'))];
  await refused(Exception.INVALID_ACL, call(zk, 'create', '/bad', Buffer.from(''), bad));
}

async function acls() {
  await call(zk, 'create', '/acl');
  const hers = [new ACL(Permission.ALL, new Id('digest', 'ann:7RJfAeIvrl4zdj6sS2fXrQHDvHM='))];
  await call(zk, 'setACL', '/acl', hers, 0);
  await refused(Exception.NO_AUTH, call(zk, 'getData', '/acl'));
  const ann = await connect();
  ann.addAuthInfo('digest', Buffer.from('ann:secret'));
  const [list, stat] = await call(ann, 'getACL', '/acl');
  assert.deepEqual([list.length, list[0].id.scheme, stat.aversion], [1, 'digest', 1]);
  await call(ann, 'getData', '/acl');
  ann.close();
}

async function transactions() {
  const results = await call(zk.transaction().create('/tx', Buffer.from('a')).check('/tx', 0)
    .setData('/tx', Buffer.from('b'), 0).create('/tx/n', CreateMode.PERSISTENT_SEQUENTIAL)
    .remove('/tx/n0000000000'), 'commit');
  assert.equal(results[0].length, 5);
  await refused(Exception.BAD_VERSION, call(zk.transaction().remove('/tx').check('/', 99), 'commit'));
  assert.equal((await call(zk, 'getData', '/tx'))[0].toString(), 'b');
}

async function watches() {
  await call(zk, 'create', '/w');
  const [data, dataTold] = watch();
  const [children, childrenTold] = watch();
  const [exists, existsTold] = watch();
  await call(zk, 'getData', '/w', data);
  await call(zk, 'getChildren', '/w', children);
  await call(zk, 'exists', '/w/x', exists);
  await call(zk, 'create', '/w/x');
  await existsTold(Event.NODE_CREATED, '/w/x');
  await childrenTold(Event.NODE_CHILDREN_CHANGED, '/w');
  await call(zk, 'setData', '/w', Buffer.from(''));
  await dataTold(Event.NODE_DATA_CHANGED, '/w');
}

async function reconnects() {
  const relay = new Relay();
  const cut = await connect(await relay.open(ADDRESS));
  const session = cut.getSessionId();
  await call(cut, 'create', '/cut', CreateMode.EPHEMERAL);
  await call(zk, 'create', '/cut-data');
  const [data, told] = watch();
  const [made, madeTold] = watch();
  await call(cut, 'getData', '/cut-data', data);
  await call(cut, 'exists', '/cut-made', made);
  const gone = once(cut, 'disconnected');
  relay.cut();
  await within('disconnected', gone);
  await call(zk, 'setData', '/cut-data', Buffer.from(''));
  await call(zk, 'create', '/cut-made');
  const back = once(cut, 'connected');
  relay.mend();
  await within('connected again', back);
  await told(Event.NODE_DATA_CHANGED, '/cut-data');
  await madeTold(Event.NODE_CREATED, '/cut-made');
  assert.deepEqual(cut.getSessionId(), session);
  assert.ok((await call(cut, 'exists', '/cut'))[0], 'its ephemeral');
  const [ended, endedTold] = watch();
  await call(zk, 'exists', '/cut', ended);
  cut.close();
  await endedTold(Event.NODE_DELETED, '/cut');
}

async function expires() {
  const relay = new Relay();
  const silent = await connect(await relay.open(ADDRESS), { ...OPTIONS, sessionTimeout: 1_000 });
  assert.equal(silent.getSessionTimeout(), 1_000);
  await call(silent, 'create', '/silent', CreateMode.EPHEMERAL);
  const [gone, told] = watch();
  assert.ok((await call(zk, 'exists', '/silent', gone))[0]);
  const expired = once(silent, 'expired');
  relay.cut();
  await told(Event.NODE_DELETED, '/silent');
  relay.mend();
  await within('expired', expired);
  silent.close();
}

async function main() {
  zk = await connect();
  await run([['create, get, set, children', reads], ['refusals', refusals], ['acl', acls],
    ['transactions', transactions], ['watches', watches], ['reconnect', reconnects],
    ['expiry', expires]]);
}

main();
