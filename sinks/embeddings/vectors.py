"""Vectors for pieces of text: each text once, refused ones set apart, trouble told by what to do."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from llm.completion import ModelError
from llm.embedding import Embedder
from schemas.errors import ErrorCode, FatalError, TransientError
from sinks.embeddings.items import Piece
from stores.postgres.halfvec import pack

_OF_THE_TEXT = frozenset(
    {ErrorCode.MODEL_REFUSED_REQUEST, ErrorCode.MODEL_CONTEXT_TOO_LONG, ErrorCode.MODEL_CONTENT_FILTERED}
)
"""Refusals for which another text may be taken all the same."""
_OF_THE_SETTINGS = frozenset({ErrorCode.MODEL_AUTHENTICATION, ErrorCode.MODEL_NOT_FOUND})


@dataclass(slots=True)
class Vectors:
    """Packed vectors, and why some texts have none. Kept until they are written: they were paid for."""

    embedder: Embedder
    packed: dict[str, bytes] = field(default_factory=dict[str, bytes])
    refused: dict[str, str] = field(default_factory=dict[str, str])

    async def fetch(self, texts: Iterable[str]) -> None:
        """Get what is missing.

        Raises:
            TransientError: the model cannot answer now.
            FatalError: it never will, with these settings.

        """
        missing = [
            text for text in dict.fromkeys(texts) if text not in self.packed and text not in self.refused
        ]
        size = self.embedder.most_texts
        for start in range(0, len(missing), size):
            await self._embed(missing[start : start + size])

    def why_refused(self, pieces: Iterable[Piece]) -> str | None:
        """Return why one of the pieces has no vector; None when all have."""
        return next((self.refused[piece.words] for piece in pieces if piece.words in self.refused), None)

    def forget(self) -> None:
        """Drop everything: it is written."""
        self.packed.clear()
        self.refused.clear()

    async def _embed(self, texts: Sequence[str]) -> None:
        try:
            vectors = await self.embedder.embed(texts)
        except ModelError as error:
            if error.code in _OF_THE_SETTINGS:
                message = f"nothing can be embedded: {error.message}"
                raise FatalError(message) from error
            if error.code not in _OF_THE_TEXT:
                raise TransientError(error.message, code=error.code) from error
            await self._halve(texts, error)
            return
        self.packed.update(zip(texts, map(pack, vectors), strict=True))

    async def _halve(self, texts: Sequence[str], error: ModelError) -> None:
        if len(texts) == 1:
            self.refused[texts[0]] = error.message
            return
        middle = len(texts) // 2
        await self._embed(texts[:middle])
        await self._embed(texts[middle:])
