"""Runs a notebook from its first cell to its last, as "Run all" does; ends with the traceback of a cell that fails."""

import sys

import nbformat
from nbclient import NotebookClient

NotebookClient(nbformat.read(sys.argv[1], as_version=4), timeout=300).execute()
print("every cell ran")
