// LibertAI's own client, used in the two ways that its README shows, and as no client at all:
// https://www.npmjs.com/package/@libertai/x402

import { serve } from "./serve.mjs";
import { wrapFetchWithPayment } from "@libertai/x402";
import OpenAI from "openai";

serve(({ key, options: { baseURL, apiKey = "x402" } }) => {
  const fetchWithPayment = wrapFetchWithPayment(key);
  const openai = new OpenAI({ baseURL, apiKey, fetch: fetchWithPayment });
  return {
    chat: (request) => openai.chat.completions.create(request),
    models: async () => (await openai.models.list()).data,
    paidFetch: (url, init) => fetchWithPayment(url, init),
    plainFetch: (url, init) => fetch(url, init),
  };
});
