// Venice's own client: https://www.npmjs.com/package/venice-x402-client

import { serve } from "./serve.mjs";
import { VeniceClient, createAuthFetch } from "venice-x402-client";

serve(({ key, options }) => {
  const client = new VeniceClient(key, options);
  // What is no method of the client: what it believes it has, and its fetch for other tools.
  client.believedBalance = () => client.balance;
  client.authFetch = (url, init) => createAuthFetch(key, options)(url, init);
  return client;
});
