"""The embeddings sink: messages and documents become vectors and words that can be searched."""
