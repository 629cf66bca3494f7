"""The Kubernetes API over the store: every verb (`api.py`, read it first), and HTTP in front of it (`app.py`, `protocol.py`).

A verb or rule is synchronous and in the file of its name; only the HTTP side knows asyncio. It decides nothing about pods'
lives (`lifecycle`) and nothing that a controller decides (`controllers`).
"""
