"""What is sold has the shape that the stock clients read."""

from __future__ import annotations

import json

import anthropic
import httpx2
import openai
import pytest

from sidecar.sandbox import goods
from tests.unit.sandbox.client import CHAT, chat

WORDS = "The sandbox heard: one two three"
