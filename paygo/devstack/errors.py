class StackError(Exception):
    """A part of the stack cannot start; the message is one or two lines that say what to do."""
