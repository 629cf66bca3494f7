"""What people see: findings and watch events in, text and pages out. Decides nothing about pods.

Read `story.py` first: everything shown is made from it. `board.py` draws it live, `plain.py` line by line.
"""
