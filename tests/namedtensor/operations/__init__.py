"""The table of operations, a file for each naming rule: `test_operations.py` runs every row."""
