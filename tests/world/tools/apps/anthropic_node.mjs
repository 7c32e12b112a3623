import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic();
const messages = [{ role: "user", content: "one two three" }];
const asked = { model: "sandbox-1", max_tokens: 64, messages };

const whole = await client.messages.create(asked);
console.log(JSON.stringify(whole.content[0].text));

const pieces = [];
for await (const event of client.messages.stream(asked)) {
  if (event.type === "content_block_delta") {
    pieces.push(event.delta.text);
  }
}
console.log(JSON.stringify(pieces));
