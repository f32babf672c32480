"""The execute role: tool calls become tool results."""
