'use strict';
// Runs steps one by one, says which held, and counts those that did not.
const net = require('node:net');

const PATIENCE_MS = 20_000;

/** Waits for a promise, and fails when it takes too long. */
function within(what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${PATIENCE_MS} ms: ${what}`)), PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Calls a function that takes a callback (error, result) last. */
function call(object, name, ...args) {
  return within(name, new Promise((resolve, reject) => {
    object[name](...args, (error, ...results) => (error ? reject(error) : resolve(results)));
  }));
}

/** Runs the steps and ends the process. */
async function run(steps) {
  let failed = 0;
  for (const [name, body] of steps) {
    const start = Date.now();
    try {
      await within(name, body());
      console.log(`ok      ${name} (${Date.now() - start} ms)`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED  ${name} (${Date.now() - start} ms): ${error.stack}`);
    }
  }
  console.log(`${steps.length - failed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}

/** A way to the server that can be cut and mended. */
class Relay {
  #sockets = new Set();
  #cut = false;
  #server;

  async open(address) {
    const [host, port] = address.split(':');
    this.#server = net.createServer((near) => {
      if (this.#cut) {
        near.destroy();
        return;
      }
      const far = net.connect(Number(port), host);
      for (const [from, to] of [[near, far], [far, near]]) {
        this.#sockets.add(from);
        from.setNoDelay(true);
        from.on('error', () => to.destroy());
        from.on('close', () => to.destroy());
        from.pipe(to);
      }
    });
    await new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${this.#server.address().port}`;
  }

  cut() {
    this.#cut = true;
    this.#sockets.forEach((socket) => socket.destroy());
    this.#sockets.clear();
  }

  mend() {
    this.#cut = false;
  }
}

module.exports = { Relay, call, run, within };
