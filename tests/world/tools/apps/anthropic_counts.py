# Its library is in an environment of its own.
# mypy: ignore-errors
import json

from anthropic import Anthropic

client = Anthropic()
asked = {"model": "sandbox-1", "messages": [{"role": "user", "content": "one two three"}]}
print(json.dumps(client.messages.count_tokens(**asked).input_tokens))
