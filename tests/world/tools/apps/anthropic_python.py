# Its library is in an environment of its own.
# mypy: ignore-errors
import json

from anthropic import Anthropic

client = Anthropic()
asked = {"model": "sandbox-1", "messages": [{"role": "user", "content": "one two three"}]}

print(json.dumps(client.messages.create(**asked, max_tokens=64).content[0].text))
with client.messages.stream(**asked, max_tokens=64) as stream:
    print(json.dumps(list(stream.text_stream)))
