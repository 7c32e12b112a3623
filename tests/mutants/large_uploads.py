"""Bugs of large bodies: sent on while they are kept."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

UPLOADS = "tests/e2e/test_large_uploads.py"
PAID = "tests/e2e/test_large_uploads_paid.py"
COPIED = "tests/unit/proxy/test_copied.py"
SPOOL = "tests/unit/proxy/test_spool.py"

LARGE_UPLOADS = (
    Mutant(
        "pays before the body is all here",
        "sidecar/proxy/copied.py",
        "        while not self._is_whole and self.lost is None:\n",
        "        while False:\n",
        (f"{PAID}::test_paid_once_and_whole", f"{PAID}::test_app_gone_before_its_last_byte"),
    ),
    Mutant(
        "buys credit for an upload that may break off",
        "sidecar/proxy/dealings.py",
        "        if not await errand.repeatable():\n            return await self._unrepeatable(errand)\n        waiting_s",
        "        waiting_s",
        (f"{PAID}::test_credit",),
    ),
    Mutant(
        "takes half a body for all of it",
        "sidecar/proxy/copied.py",
        "return self._spool if self._is_whole else None",
        "return self._spool",
        (f"{COPIED}::test_sent_and_sent_again",),
    ),
    Mutant(
        "pays without the body",
        "sidecar/proxy/errand.py",
        "return replace(outgoing, stored=stored)",
        "return outgoing",
        (f"{PAID}::test_paid_once_and_whole",),
    ),
    Mutant(
        "takes all large bodies for one purchase",
        "sidecar/proxy/outcomes.py",
        "            body.update(chunk)\n",
        "            pass\n",
        ("tests/unit/proxy/test_outcomes.py::test_stored_body",),
    ),
    Mutant(
        "keeps more than the cap",
        "sidecar/proxy/copied.py",
        "if self._size > self._bytes_max:",
        "if False:",
        (f"{COPIED}::test_beyond_the_cap",),
    ),
    Mutant(
        "keeps more than there is room for",
        "sidecar/proxy/copied.py",
        "            if not self._memory.take(self._size - self._taken):\n",
        "            if False:\n",
        (f"{COPIED}::test_no_room_for_more",),
    ),
    Mutant(
        "never gives back the room of a large body",
        "sidecar/proxy/copied.py",
        "self._memory.give_back(self._taken)",
        "self._memory.give_back(0)",
        (f"{COPIED}::test_sent_and_sent_again", f"{UPLOADS}::test_app_hangs_up"),
    ),
    Mutant(
        "lets two read from one app",
        "sidecar/proxy/copied.py",
        "        async with self._turn:\n",
        "        if True:\n",
        (f"{COPIED}::test_completed_after_its_sender_was_stopped",),
    ),
    Mutant(
        "frames what is sent again with a length in chunks, too",
        "sidecar/proxy/upstream.py",
        "chunked = request.stored is None and not declared",
        "chunked = not declared",
        (f"{UPLOADS}::test_signed_in_again",),
    ),
    Mutant(
        "sends chunks on without their framing",
        "sidecar/proxy/upload.py",
        "            if chunked:\n",
        "            if False:\n",
        (f"{UPLOADS}::test_chunks_stay_chunks",),
    ),
    Mutant(
        "writes to an upstream before it reads its answer",
        "sidecar/proxy/upload.py",
        "for _ in range(_TURNS):",
        "for _ in range(0):",
        ("tests/unit/proxy/test_upload.py",),
    ),
    Mutant(
        "leaves an upstream waiting for a body that will not come",
        "sidecar/proxy/upload.py",
        "        connection.close()\n",
        "        pass\n",
        (f"{UPLOADS}::test_silent_app",),
    ),
    Mutant(
        "blames the upstream for a silent app",
        "sidecar/proxy/dealings.py",
        "if not isinstance(body, Kept) and body.is_silent:",
        "if False:",
        (f"{UPLOADS}::test_silent_app",),
    ),
    Mutant(
        "hangs up on an app that has yet to read its answer",
        "sidecar/proxy/handler.py",
        "                    await body.drain()\n",
        "                    pass\n",
        (f"{UPLOADS}::test_app_that_sends_all_before_it_reads",),
    ),
    Mutant(
        "keeps what is relayed already",
        "sidecar/proxy/dealings.py",
        "            errand.body.forget()\n",
        "            pass\n",
        (f"{UPLOADS}::test_relayed_is_not_kept",),
    ),
    Mutant(
        "collects large bodies before it sends them",
        "sidecar/proxy/body.py",
        "if length is not None and length > COLLECTED_BYTES_MAX:",
        "if False:",
        (f"{UPLOADS}::test_sent_on_before_it_is_whole",),
    ),
    Mutant(
        "forgets what came while the disk was slow",
        "sidecar/proxy/spool.py",
        "del self._held[: self._under_way]",
        "self._held.clear()",
        (f"{SPOOL}::test_cancelled_while_the_disk_is_slow",),
    ),
    Mutant(
        "lets go of what is still to be paid for",
        "sidecar/proxy/copied.py",
        "            self._spool = None\n",
        "            finish = self._spool and self._spool._file and self._spool._file.close()\n",
        (f"{COPIED}::test_kept_beyond_the_request",),
    ),
    Mutant(
        "leaves files open",
        "sidecar/proxy/spool.py",
        "finalize(self, _threads.submit, self._file.close)",
        "finalize(self, _threads.submit, self._file.fileno)",
        (f"{SPOOL}::test_gone_with_the_last_who_holds_it",),
    ),
    Mutant(
        "makes up a shorter body where the disk lost some of it",
        "sidecar/proxy/spool.py",
        '                raise OSError("a temporary file is shorter than what was written to it")\n',
        "                return\n",
        (f"{SPOOL}::test_lost_bytes_are_never_made_up",),
    ),
    Mutant(
        "loses what a full disk did not take",
        "sidecar/proxy/spool.py",
        "        if not writing.result():\n            self._can_write = False\n            return\n",
        "        writing.result()\n",
        (f"{SPOOL}::test_disk_full", f"{SPOOL}::test_no_file_to_be_had"),
    ),
    Mutant(
        "loses what two wait for to read it again",
        "sidecar/proxy/spool.py",
        "            if self._writing is not writing:\n",
        "            if False:\n",
        (f"{SPOOL}::test_read_by_two_while_the_disk_is_slow",),
    ),
    Mutant(
        "waits on the loop for a file to be closed",
        "sidecar/proxy/spool.py",
        "finalize(self, _threads.submit, self._file.close)",
        "finalize(self, self._file.close)",
        (f"{SPOOL}::test_nobody_waits_for_it_to_be_closed",),
    ),
    Mutant(
        "gathers more than what is being written",
        "sidecar/proxy/spool.py",
        "            await self._settle()\n            self._begin_writing()\n",
        "            if self._writing is None or self._writing.done():\n"
        "                await self._settle()\n"
        "                self._begin_writing()\n",
        (f"{SPOOL}::test_goes_on_while_the_disk_writes",),
    ),
)
