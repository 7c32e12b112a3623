"""Leaks, each of which the canary has to find."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

DAY = "tests/canary/test_canary.py::test_no_secret"
LOG, ANSWERS, PROCESSES = f"{DAY}[log]", f"{DAY}[answers]", f"{DAY}[processes]"

CANARY = (
    Mutant(
        "does not redact base58",
        "sidecar/logs/redaction.py",
        "    yield base58.encode(data)\n",
        "",
        (LOG,),
    ),
    Mutant(
        "logs the query",
        "sidecar/proxy/handler.py",
        'request.raw_path.partition("?")[0],',
        "request.raw_path,",
        (LOG,),
    ),
    Mutant(
        "does not redact a keystore's password",
        "sidecar/service/secrets.py",
        "            if wallet.key.password is not None:\n",
        "            if False:\n",
        (LOG,),
    ),
    Mutant(
        "prints the variables of a traceback",
        "sidecar/logs/faults.py",
        '"".join(format_tb(shown.__traceback__, -FRAMES_MAX))',
        '"".join(__import__("traceback").TracebackException.from_exception(shown, capture_locals=True).format())',
        (LOG,),
    ),
    Mutant(
        "labels metrics by token",
        "sidecar/service/secrets.py",
        "tokens[token] = Caller(caller.name, caller.budgets)",
        "tokens[token] = Caller(token, caller.budgets)",
        (ANSWERS,),
    ),
    Mutant(
        "relays a header that repeats the API key",
        "sidecar/proxy/headers.py",
        "    for secret in secrets:\n"
        "        kept = [header for header in kept if secret not in header[1]]\n",
        "",
        (ANSWERS,),
    ),
    Mutant(
        "relays a header that repeats a payment",
        "sidecar/proxy/headers.py",
        " and not _is_signed(*header))",
        ")",
        (ANSWERS,),
    ),
    Mutant(
        "quotes a malformed response",
        "sidecar/proxy/upstream.py",
        "sent a malformed response: {told(fault)}",
        "sent a malformed response: {fault.message}",
        (ANSWERS,),
    ),
    Mutant(
        "repeats a signature that a seller quotes",
        "sidecar/document.py",
        'shown(_LONG_WORD.sub("(a long word)", text), chars_max)',
        "shown(text, chars_max)",
        (ANSWERS,),
    ),
    Mutant(
        "leaves variables where the system shows them",
        "sidecar/config/own_memory.py",
        "            ctypes.memset(at + len(name) + 1, 0, len(value))\n",
        "            pass\n",
        (PROCESSES,),
    ),
    Mutant(
        "leaves itself dumpable",
        "sidecar/config/own_memory.py",
        ".prctl(SET_DUMPABLE, 0, 0, 0, 0)",
        ".prctl(SET_DUMPABLE, 1, 0, 0, 0)",
        ("tests/canary/test_canary.py::test_no_core",),
    ),
    Mutant(
        "repeats a setting's name that is a key",
        "sidecar/config/mistakes.py",
        '_SECRET.sub(WITHHELD, f"{path}: {what}; {fix}")',
        'f"{path}: {what}; {fix}"',
        ("tests/canary/test_mistakes.py",),
    ),
)
