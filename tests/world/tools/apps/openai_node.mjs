import OpenAI from "openai";

const client = new OpenAI();
const asked = { model: "sandbox-1", messages: [{ role: "user", content: "one two three" }] };

const whole = await client.chat.completions.create(asked);
console.log(JSON.stringify(whole.choices[0].message.content));

const pieces = [];
for await (const chunk of await client.chat.completions.create({ ...asked, stream: true })) {
  pieces.push(chunk.choices[0]?.delta.content ?? "");
}
console.log(JSON.stringify(pieces));
