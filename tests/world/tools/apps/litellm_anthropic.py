# Its library is in an environment of its own.
# mypy: ignore-errors
import json

import litellm

asked = {"model": "anthropic/sandbox-1", "messages": [{"role": "user", "content": "one two three"}]}

print(json.dumps(litellm.completion(**asked).choices[0].message.content))
stream = litellm.completion(**asked, stream=True)
print(json.dumps([chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]))
