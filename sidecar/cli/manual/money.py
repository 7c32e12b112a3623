"""The pages of the commands about payments, their rules and the books."""

from __future__ import annotations

from collections.abc import Mapping

from sidecar.cli.manual import ADMIN, ADMIN_TOKEN, CONFIG, LEDGER, NAMED_CONFIG, STATE, Page

_BOOKS = {"files": (CONFIG, LEDGER), "environment": (NAMED_CONFIG, STATE)}
_BEFORE_DECIDING = (
    "The payment is held by a request that waits for it, for as long as its route's "
    "approval.wait_s. The word counts for that one payment; the next one is asked for anew. "
)

PAGES: Mapping[str, Page] = {
    "doctor": Page(
        "Looks at everything that a config needs, and says of each whether it is well and, if "
        "not, what to do: the variables and secret files, the state folder, ledger and disk, the "
        "ports, every upstream and every RPC endpoint, the clock, the money in each wallet and the "
        "credit at each vendor. The sidecar may run or not. Nothing is paid, and no payment is "
        "signed. Vendors that tell a balance only to who has signed in are left out unless "
        "--sign-in is given. A warning does not change the exit status; of several failures the "
        "highest status counts.",
        (
            ("sidecar doctor", "look at all of it"),
            ("sidecar doctor --sign-in", "ask Venice and Nodit for their balances, too"),
            ("sidecar doctor --json", "for a program; each check with its state and fix"),
        ),
        (0, 2, 4, 5, 6, 7),
        ("check", "status", "balance"),
        (CONFIG, LEDGER),
        (NAMED_CONFIG, ("HTTPS_PROXY", "the proxy to https upstreams; NO_PROXY names exceptions")),
    ),
    "balance": Page(
        "Asks the chains, through the config's RPC endpoints, what USDC each wallet holds. Every "
        "kind of wallet is asked about on every chain of its kind. The sidecar need not run. What "
        "nobody could say is unknown, and told of on stderr.",
        (
            ("sidecar balance", "a line for each wallet on each chain"),
            ("sidecar balance --json", "the same for programs, in atomic units too"),
        ),
        (0, 2, 5, 6, 7),
        ("wallet", "doctor"),
        (CONFIG,),
        (NAMED_CONFIG,),
    ),
    "payments": Page(
        "Lists the newest payments in the ledger, newest first, whether the sidecar runs or not. "
        "On a terminal it shows the columns that fit; --json and --csv have all of them. A payment "
        "that is authorized is in doubt: it was signed, and nobody knows yet whether it moved.",
        (
            ("sidecar payments", "the newest 50"),
            ("sidecar payments --since 24h --limit 1000", "those of a day"),
            ("sidecar payments --csv", "for a spreadsheet: cells that it would run are quoted"),
        ),
        (0, 2, 7),
        ("explain", "reconcile", "resolve"),
        **_BOOKS,
    ),
    "quote": Page(
        "Sends a request as an app's would be, but without any credential or payment, reads the "
        "402 that comes back, and says what the sidecar would do about it: which offers there are, "
        "which it would pay, or which rule or budget is against it. The terms are judged by the "
        "code that pays, with the ledger as it is now. Nothing is paid, signed or written. A "
        "seller that asks for nothing serves the request: it is really made. Routes with an API "
        "key are not asked. For vendors of credit it tells what a top-up would cost.",
        (
            (
                "sidecar quote https://seller.example/v1/chat/completions -d @body.json",
                "by the rules of the route whose upstream this is",
            ),
            ("sidecar quote /venice/v1/models", "by the path that an app would use"),
            (
                "sidecar quote /v1/images --route seller --caller aider -X POST",
                "with the caller's own budgets",
            ),
        ),
        (0, 2, 3, 5, 6, 7),
        ("explain", "check", "pins"),
        **_BOOKS,
    ),
    "explain": Page(
        "Says why something was refused, and what to do about it: of a request, by the id in the "
        "log and on the status page, or of the last that was refused. The running sidecar "
        "remembers the newest refusals. Of a payment, by its id, it tells all that happened to it, "
        "from the ledger: what was set aside, what was signed, what proves that it moved. "
        "Without a running sidecar the ledger alone is asked.",
        (
            ("sidecar explain", "the last refusal, or else the newest payment"),
            ("sidecar explain pay_0123456789abcdef0123456789abcdef", "the life of a payment"),
            ("sidecar explain --rules", "every rule, what it means, and what to do"),
        ),
        (0, 2, 5, 7),
        ("payments", "quote", "resolve"),
        (CONFIG, LEDGER),
        (NAMED_CONFIG, STATE, ADMIN),
    ),
    "top-up": Page(
        "Buys credit for a route at once, through the running sidecar, however much there is. The "
        "amount and every rule are the route's own: its budgets, max_payment, top_up.max_per_hour, "
        "pins and approvals; and no credit is bought while an earlier top-up has not been seen to "
        "help. Where no sidecar runs, nothing is bought.",
        (
            ("sidecar top-up venice", "one top-up of top_up.amount"),
            ("sidecar top-up x402layer --account weather", "a package of one endpoint"),
        ),
        (0, 2, 3, 5, 7, 8),
        ("status", "explain", "resolve"),
        (CONFIG, ADMIN_TOKEN),
        (NAMED_CONFIG, STATE, ADMIN),
    ),
    "reconcile": Page(
        "Holds the ledger beside what really left each wallet on its chain. A transfer that no "
        "payment explains is foreign; a payment that is posted and that the chain does not show "
        "is missing. Beside that it shows what was bought from each vendor and what is left there, "
        "for which it signs in. The sidecar need not run.",
        (
            ("sidecar reconcile", "the last 24 hours"),
            ("sidecar reconcile --hours 168 --json", "a week, for a program"),
        ),
        (0, 2, 5, 6, 7, 8),
        ("payments", "balance"),
        **_BOOKS,
    ),
    "resolve": Page(
        "Writes down what a person knows of a payment that nothing else settles: one in doubt on "
        "a chain that nobody can ask, or a top-up whose credit was never seen. The chain is asked "
        "first, where it can be; what it says counts more. A payment is voided only long after "
        "its authorization has expired, for until then it may still be used.",
        (
            (
                "sidecar resolve pay_0123456789abcdef0123456789abcdef --voided",
                "it was never paid: its amount may be spent again",
            ),
            (
                "sidecar resolve pay_0123456789abcdef0123456789abcdef --credited --yes",
                "the vendor gave the credit: others may be bought",
            ),
        ),
        (0, 2, 3, 7, 8),
        ("explain", "payments"),
        **_BOOKS,
    ),
    "pins": Page(
        "Lists the payees that each route is used to. Where a route's pay_to names nobody, the "
        "first payee of each network is pinned, and another one is refused until this is "
        "forgotten.",
        (("sidecar pins", "all of them"), ("sidecar pins --json", "for a program")),
        (0, 2, 7),
        ("quote", "explain"),
        **_BOOKS,
    ),
    "pins forget": Page(
        "Forgets the payees of a route, so that the next one it pays is pinned anew. Do it once "
        "the seller has said that its address changed.",
        (("sidecar pins forget seller", "let the route's payee change"),),
        (0, 2, 7),
        ("pins",),
        **_BOOKS,
    ),
    "freeze": Page(
        "From now on no payment is signed, in any process that uses this ledger, also after a "
        "restart. Unpaid traffic flows on, and what is in doubt is still looked at.",
        (("sidecar freeze", "stop all payments at once"),),
        (0, 2, 7),
        ("unfreeze", "status"),
        **_BOOKS,
    ),
    "unfreeze": Page(
        "Payments are signed again, from now on, by every process that uses this ledger.",
        (("sidecar unfreeze", "let payments be made"),),
        (0, 2, 7),
        ("freeze",),
        **_BOOKS,
    ),
    "approvals": Page(
        "Lists the payments that wait for a person: those over their route's approval.above. "
        "Each is held until the time it shows.",
        (("sidecar approvals", "what waits now"),),
        (0, 2, 7),
        ("approve", "refuse"),
        **_BOOKS,
    ),
    "approve": Page(
        f"Lets payments that wait for a person be made. {_BEFORE_DECIDING}",
        (("sidecar approve pay_0123456789abcdef0123456789abcdef", "let it be made"),),
        (0, 2, 3, 7),
        ("approvals", "refuse"),
        **_BOOKS,
    ),
    "refuse": Page(
        f"Says no to payments that wait for a person. {_BEFORE_DECIDING}",
        (("sidecar refuse pay_0123456789abcdef0123456789abcdef", "let it not be made"),),
        (0, 2, 3, 7),
        ("approvals", "approve"),
        **_BOOKS,
    ),
    "migrate": Page(
        "Makes the tables of a ledger in Postgres, or brings them up to date, and says from which "
        "version to which. It waits for others that do the same, and changes nothing where there "
        "is nothing to do. `run` does it, too, unless ledger.postgres.migrate is false: then the "
        "sidecar may be another user, who owns no tables. A ledger in a file has its tables from "
        "the sidecar that made it.",
        (("sidecar migrate", "before sidecars of a new version are started"),),
        (0, 2, 7),
        ("ledger copy", "doctor"),
        **_BOOKS,
    ),
    "ledger": Page(
        "Moves the books to another store. Nothing is ever paid by it, and nothing is lost.",
        (
            (
                "sidecar ledger copy /var/lib/sidecar/ledger.db env:SIDECAR_LEDGER_URL",
                "from a file of this machine to a Postgres for many",
            ),
        ),
        (0, 2, 7),
        ("migrate",),
    ),
    "ledger copy": Page(
        "Copies every payment, event, budget window, pin and freeze of a ledger's file into a "
        "Postgres database that has none yet, in one transaction; then it compares every row and "
        "every sum, and takes all of it back where one differs. No sidecar may have the file open. "
        "The file stays as it is, and nothing in it says that it was copied: point every sidecar "
        "at the new ledger before one is started, for whoever pays from the old one spends the "
        "same budgets again. The URL is named by where it is kept: what is typed can be read by "
        "everybody on this machine.",
        (
            (
                "sidecar ledger copy /var/lib/sidecar/ledger.db env:SIDECAR_LEDGER_URL",
                "the URL is in a variable",
            ),
            (
                "sidecar ledger copy ledger.db file:/etc/sidecar/ledger.url",
                "or in a file that only you can read",
            ),
        ),
        (0, 2, 7),
        ("migrate",),
    ),
    "completion": Page(
        "Prints the script by which a shell completes this program's commands, flags and files. "
        "It is read by the shell when that starts.",
        (
            ("sidecar completion bash", "into ~/.local/share/bash-completion/completions/sidecar"),
            ("sidecar completion zsh", "into a file _sidecar in a folder of $fpath"),
        ),
    ),
}
