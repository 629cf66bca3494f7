"""Seats as one keeps them first: a Render that is told to be deleted gives its seat back. What is not told is never given back."""

import kopf


@kopf.on.event("renders")
def left(event, uid, memo, **_):
    if event["type"] == "DELETED":
        memo.seats.discard(uid)
