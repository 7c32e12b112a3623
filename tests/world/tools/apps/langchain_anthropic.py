# Its library is in an environment of its own.
# mypy: ignore-errors
import json

from langchain_anthropic import ChatAnthropic

model = ChatAnthropic(model="sandbox-1")


def text_of(piece):
    """What LangChain gives as a text, or as blocks."""
    content = piece.content
    return content if isinstance(content, str) else "".join(one.get("text", "") for one in content)


print(json.dumps(text_of(model.invoke("one two three"))))
print(json.dumps([text_of(piece) for piece in model.stream("one two three")]))
