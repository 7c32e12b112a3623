import { anthropic } from "@ai-sdk/anthropic";
import { generateText, streamText } from "ai";

const model = anthropic("sandbox-1");

const { text } = await generateText({ model, prompt: "one two three", maxOutputTokens: 64 });
console.log(JSON.stringify(text));

const pieces = [];
for await (const piece of streamText({ model, prompt: "one two three", maxOutputTokens: 64 }).textStream) {
  pieces.push(piece);
}
console.log(JSON.stringify(pieces));
