# Its library is in an environment of its own.
# mypy: ignore-errors
import json

from langchain_openai import ChatOpenAI

model = ChatOpenAI(model="sandbox-1")

print(json.dumps(model.invoke("one two three").content))
print(json.dumps([piece.content for piece in model.stream("one two three")]))
