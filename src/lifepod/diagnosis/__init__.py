"""Why a pod is as it is: objects of the API in, findings out. Reads nothing, prints nothing; `ui` words the pages.

Read `findings.py` first, then `why.py`: one cause a function.
"""
