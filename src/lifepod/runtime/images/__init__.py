"""Real OCI images: pulled from registries or imported from files, kept by content, unpacked as an ordinary user.

It decides nothing about pods: `local_images.py` answers whether an image is here, pulls it, and says what is in it. Read that
file first, then `unpack.py`, which is where an image's author is the enemy. Nothing here runs what an image contains.
"""
