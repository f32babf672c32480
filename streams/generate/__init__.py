"""The generate role: generation requests become generations."""
