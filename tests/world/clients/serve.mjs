// The other end of tests/world/vendor_clients.py: a line of JSON on stdin is an order, a line of
// JSON on stdout answers it. The first line, before any order, says that the client is loaded.
//
// An order names a client's options, and calls of its methods: in turn, or all at once. `moved`
// says what URLs begin with, and with what instead: that is how a client goes to the sandbox where
// an address is built into it. Nothing in the clients is touched.

import { createInterface } from "node:readline";

const realFetch = globalThis.fetch;
let moved = {};

globalThis.fetch = async (input, init) => {
  const named = input instanceof Request ? input.url : String(input);
  const start = Object.keys(moved).find((one) => named.startsWith(one));
  const wanted = start === undefined ? named : moved[start] + named.slice(start.length);
  if (new URL(wanted).hostname !== "127.0.0.1") {
    throw new Error(`not on this machine: ${wanted}`);
  }
  if (start === undefined) {
    return realFetch(input, init);
  }
  return realFetch(input instanceof Request ? new Request(wanted, input) : wanted, init);
};

async function plain(value) {
  if (value instanceof Response) {
    return { status: value.status, body: await value.text() };
  }
  if (value?.[Symbol.asyncIterator] === undefined) {
    return value ?? null;
  }
  const parts = [];
  for await (const part of value) {
    parts.push(part);
  }
  return parts;
}

async function answered(call) {
  try {
    return { value: await plain(await call()) };
  } catch (error) {
    const { name, message, code, status, details, cause } = error;
    return { error: { name, message, code, status, details, cause: cause?.message } };
  }
}

/** `open(order)` makes the client: an object whose methods are called by name. */
export async function serve(open) {
  process.stdout.write("ready\n");
  for await (const line of createInterface({ input: process.stdin })) {
    const order = JSON.parse(line);
    moved = order.moved;
    const client = open(order);
    const calls = order.calls.map(([method, ...given]) => () => client[method](...given));
    const answers = [];
    if (order.atOnce) {
      answers.push(...(await Promise.all(calls.map(answered))));
    } else {
      for (const call of calls) {
        answers.push(await answered(call));
      }
    }
    process.stdout.write(`${JSON.stringify(answers)}\n`);
  }
}
