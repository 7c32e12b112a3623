# Its library is in an environment of its own.
# mypy: ignore-errors
import json

from openai import OpenAI

client = OpenAI()
asked = {"model": "sandbox-1", "messages": [{"role": "user", "content": "one two three"}]}

print(json.dumps(client.chat.completions.create(**asked).choices[0].message.content))
stream = client.chat.completions.create(**asked, stream=True)
print(json.dumps([chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]))
