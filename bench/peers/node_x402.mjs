// A proxy on the official x402 client for Node, as its README wraps fetch.
//
//     node node_x402.mjs PORT UPSTREAM KEY

import http from "node:http";
import { Readable } from "node:stream";
import { ExactEvmScheme } from "@x402/evm";
import { wrapFetchWithPaymentFromConfig } from "@x402/fetch";
import { privateKeyToAccount } from "viem/accounts";

const [port, upstream, key] = process.argv.slice(2);
const pay = wrapFetchWithPaymentFromConfig(fetch, {
  schemes: [{ network: "eip155:*", client: new ExactEvmScheme(privateKeyToAccount(key)) }],
});
const HOPS = new Set(["host", "connection", "transfer-encoding", "content-length", "expect"]);

const server = http.createServer(async (request, response) => {
  try {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const headers = Object.fromEntries(
      Object.entries(request.headers).filter(([name]) => !HOPS.has(name)),
    );
    headers.authorization = "Bearer sk-upstream";
    const body = chunks.length > 0 ? Buffer.concat(chunks) : undefined;
    const reply = await pay(upstream + request.url, { method: request.method, headers, body });
    const kept = [...reply.headers].filter(
      ([name]) => !HOPS.has(name) && name !== "content-encoding",
    );
    response.writeHead(reply.status, Object.fromEntries(kept));
    Readable.fromWeb(reply.body).pipe(response);
  } catch (fault) {
    console.error(fault);
    response.writeHead(502).end();
  }
});
server.listen(Number(port), "127.0.0.1");
