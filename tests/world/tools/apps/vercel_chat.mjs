import { openai } from "@ai-sdk/openai";
import { generateText, streamText } from "ai";

const model = openai.chat("sandbox-1");

const { text } = await generateText({ model, prompt: "one two three" });
console.log(JSON.stringify(text));

const pieces = [];
for await (const piece of streamText({ model, prompt: "one two three" }).textStream) {
  pieces.push(piece);
}
console.log(JSON.stringify(pieces));
