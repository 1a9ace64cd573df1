"""The command line: one file a command; a command parses, calls one public function, prints.

Nothing heavy is imported before a command runs, so that ``visfeat --help`` answers at once.
"""
