"""Money: paying once, inside the budgets, on the record (money-safety.md).

purchases   which request pays, which one waits, which one binds to an earlier payment
payer       the money path: one function on one screen
verdict     what a seller's answer to a payment means
evidence    what a chain says about a payment
recovery    post or void what is in doubt, on proof only
"""
