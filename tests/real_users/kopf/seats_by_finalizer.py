"""Seats kept rightly: a Render stays, with a finalizer, until the operator has seen that it is to go and has taken the seat back."""

import kopf


@kopf.on.delete("renders")
def left(uid, memo, **_):
    memo.seats.discard(uid)
