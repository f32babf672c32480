"""The wire to Kafka: names, codec, publisher, consumers, topics, dead letters."""
