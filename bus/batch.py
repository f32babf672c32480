"""A batch of records that is compressed only where that pays."""

from struct import Struct

from aiokafka.codec import snappy_encode
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.util import calc_crc32c

MAX_BATCH_BYTES = 262_144
"""Measured: against aiokafka's 16 KiB half the CPU with messages of 4 KB."""

COMPRESSED_FROM_BYTES = 4_096
"""Most batches have one or two records of some hundred bytes. Compressing them would save a tenth of that and
cost the producer 7 µs, the broker and every consumer 2 µs. From about here on, what is saved would cost more,
in checksums and copies."""

_PLAIN = 0
_SNAPPY = 2
"""aiokafka asks lz4 for its highest level: seven times slower on 30 KB, for a tenth of the size."""

# Where a batch has its numbers: Kafka's documentation, "Record Batch".
_LENGTH, _LENGTH_AT, _AFTER_LENGTH = Struct(">i"), 8, 12
_CHECKSUM, _CHECKSUM_AT = Struct(">I"), 17
_ATTRIBUTES, _ATTRIBUTES_AT = Struct(">h"), 21
_RECORDS_AT = 61


class Batch(BatchBuilder):
    """Decides when it is sent: only then is its size known, while aiokafka's own decides when it is made."""

    def __init__(self) -> None:
        """Take records until there are `MAX_BATCH_BYTES`, but one of any size."""
        super().__init__(MAX_BATCH_BYTES, _PLAIN)  # pyright: ignore[reportUnknownMemberType]
        self._whole: bytearray | None = None

    def _build(self) -> bytearray:
        # Asked for again when it is sent again: these must be the same bytes.
        if self._whole is None:
            self._whole = _compressed(super()._build())
        return self._whole


def _compressed(batch: bytearray) -> bytearray:
    records = batch[_RECORDS_AT:]
    if len(records) < COMPRESSED_FROM_BYTES:
        return batch
    shorter = snappy_encode(records)
    if len(shorter) >= len(records):
        return batch
    batch[_RECORDS_AT:] = shorter
    _LENGTH.pack_into(batch, _LENGTH_AT, len(batch) - _AFTER_LENGTH)
    _ATTRIBUTES.pack_into(batch, _ATTRIBUTES_AT, _SNAPPY)
    _CHECKSUM.pack_into(batch, _CHECKSUM_AT, calc_crc32c(batch[_ATTRIBUTES_AT:]))
    return batch
