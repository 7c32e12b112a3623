# Its library is in an environment of its own.
# mypy: ignore-errors
import json

from openai import OpenAI

client = OpenAI()
asked = {"model": "sandbox-1", "input": "one two three"}

print(json.dumps(client.responses.create(**asked).output_text))
stream = client.responses.create(**asked, stream=True)
print(json.dumps([event.delta for event in stream if event.type == "response.output_text.delta"]))
