"""The contract: records, topics, ids, partitions and errors. No I/O, no clients."""
