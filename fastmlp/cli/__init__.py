"""The command line: main.py takes the arguments, commands.py does the work, terminal.py draws."""
