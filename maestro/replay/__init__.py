"""Sessions as they were: folded from the record, compared, decided again, and forked."""
