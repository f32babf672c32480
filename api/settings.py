"""Settings of the HTTP edge: where it listens, whose tokens it takes, its limits."""

from typing import Annotated, Literal

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Algorithm = Literal[
    "HS256", "HS384", "HS512",
    "RS256", "RS384", "RS512",
    "PS256", "PS384", "PS512",
    "ES256", "ES384", "ES512",
    "EdDSA",
]  # fmt: skip

HASH_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
"""Shortest secret of each HMAC algorithm: as long as its hash (RFC 7518, section 3.2)."""


class ApiSettings(BaseSettings):
    """How applications reach Maestro over HTTP. Read from `MAESTRO_API_*` and four names without prefix."""

    model_config = SettingsConfigDict(
        env_prefix="MAESTRO_API_", frozen=True, extra="ignore", populate_by_name=True
    )

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address on which the API is served. It speaks plain HTTP: put TLS in front of it.",
    )
    port: int = Field(default=8000, ge=1, le=65535, description="Port on which the API is served.")
    dev: bool = Field(
        default=False,
        description="Whether this is a machine of a developer, where `maestro token` makes tokens and issuer"
        " and audience may be left out. `maestro dev` sets it; leave it alone elsewhere.",
    )

    jwt_secret: SecretStr | None = Field(
        default=None,
        description="Secret that callers' tokens are signed with (HMAC): at least as many bytes as the hash"
        " has, 32 for HS256. Either this or MAESTRO_API_JWKS_URL.",
    )
    jwks_url: str | None = Field(
        default=None,
        description="Where the issuer publishes the keys that its tokens are signed with (JSON Web Key Set);"
        " https://, or http:// on this machine.",
    )
    jwt_algorithms: Annotated[tuple[Algorithm, ...], NoDecode] = Field(
        default=(),
        description="Algorithms of signatures that are taken, separated by commas; HS* with a secret, RS*,"
        " PS*, ES* and EdDSA with a key set, never both kinds. Unset: HS256 with a secret, RS256 with a key"
        " set.",
    )
    jwt_issuer: str | None = Field(
        default=None, min_length=1, description="The `iss` that a token must have. Required but for dev."
    )
    jwt_audience: str | None = Field(
        default=None, min_length=1, description="The `aud` that a token must name. Required but for dev."
    )
    jwt_subject_claim: str = Field(
        default="sub",
        min_length=1,
        description="The claim that names the user: a text of 1 to 200 characters.",
    )
    jwt_types: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("JWT", "at+jwt"),
        description="Values of a token's header `typ` that are taken, separated by commas; a token without"
        " one is taken too.",
    )
    jwt_leeway_s: float = Field(
        default=10.0, ge=0, le=300, description="Seconds that the issuer's clock may differ from ours."
    )
    jwt_max_chars: int = Field(
        default=8_192, ge=256, le=65_536, description="Longest token that is looked at."
    )
    jwks_keep_s: float = Field(
        default=300.0, gt=0, description="Seconds after which the key set is fetched again."
    )
    jwks_refresh_every_s: float = Field(
        default=30.0,
        gt=0,
        description="Least seconds between two fetches, however many tokens name keys that the set has not.",
    )
    jwks_timeout_s: float = Field(
        default=5.0, gt=0, description="Seconds that a fetch of the key set may take."
    )
    jwks_max_bytes: int = Field(default=262_144, ge=1_000, description="Largest key set that is read.")

    max_body_bytes: int = Field(default=1_048_576, ge=1_000, description="Largest body of a request.")
    body_wait_s: float = Field(default=30.0, gt=0, description="Seconds that a body may take to arrive.")
    max_header_bytes: int = Field(
        default=16_384,
        ge=1_000,
        le=65_536,
        description="Most bytes of a request's path and headers together.",
    )
    rate_limit: int = Field(
        default=600, ge=0, description="Requests of one user in each window; 0 for any number."
    )
    rate_window_s: int = Field(default=60, ge=1, le=86_400, description="Seconds of a window.")
    running_runs: int = Field(
        default=20, ge=1, description="Runs of one user that may be under way at a time; more get 429."
    )
    running_run_keep_s: int = Field(
        default=3_600, ge=60, description="Seconds after which a run without an end no longer counts as one."
    )
    max_message_bytes: int = Field(
        default=524_288, ge=1_000, description="Longest message of a user, as UTF-8."
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Origins of web pages that may call the API from a browser, separated by commas, for"
        " example https://app.example.org. Unset, none may.",
    )

    read_wait_s: float = Field(
        default=2.0,
        ge=0,
        description="Seconds that a read waits until it contains what the same user has written; then it"
        " answers with the header Maestro-Behind.",
    )
    own_write_keep_s: int = Field(
        default=300, ge=1, description="Seconds that a user's own writes are waited for, after each."
    )
    run_wait_s: float = Field(
        default=60.0,
        gt=0,
        description="Seconds that POST /agents/{id}/run waits when the caller does not say.",
    )
    run_wait_limit_s: float = Field(
        default=300.0, gt=0, description="Most seconds that a caller may let it wait."
    )
    idempotency_keep_s: int = Field(
        default=86_400, ge=60, description="Seconds that an Idempotency-Key is remembered."
    )
    ping_s: float = Field(default=15.0, gt=0, description="Seconds between two pings on a stream of events.")
    stream_queue: int = Field(
        default=1_000,
        ge=10,
        description="Events that wait for one slow reader; then its stream ends, and the reader resumes it.",
    )
    streams: int = Field(
        default=2_000, ge=1, description="Streams of events of one process at a time; more get 503."
    )
    shutdown_grace_s: float = Field(
        default=15.0, gt=0, description="Seconds that requests in flight get when the process shall end."
    )

    max_sessions_per_page: int = Field(
        default=50,
        ge=1,
        le=1_000,
        validation_alias=AliasChoices("MAX_SESSIONS_PER_PAGE"),
        description="Most sessions of one page.",
    )
    max_messages_per_page: int = Field(
        default=100,
        ge=1,
        le=1_000,
        validation_alias=AliasChoices("MAX_MESSAGES_PER_PAGE"),
        description="Most messages of one page.",
    )
    default_sessions_per_page: int = Field(
        default=20,
        ge=1,
        validation_alias=AliasChoices("DEFAULT_SESSIONS_PER_PAGE"),
        description="Sessions of a page when the caller does not say.",
    )
    default_messages_per_page: int = Field(
        default=20,
        ge=1,
        validation_alias=AliasChoices("DEFAULT_MESSAGES_PER_PAGE"),
        description="Messages of a page when the caller does not say.",
    )

    @property
    def algorithms(self) -> tuple[Algorithm, ...]:
        """The algorithms in force."""
        return self.jwt_algorithms or (("HS256",) if self.jwks_url is None else ("RS256",))

    @property
    def public_url(self) -> str:
        """Where clients on this machine reach the API."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def missing(self) -> tuple[str, ...]:
        """Return a sentence for each setting without which the API must not be served."""
        found: list[str] = []
        if self.jwt_secret is None and self.jwks_url is None:
            found.append(
                "MAESTRO_API_JWT_SECRET or MAESTRO_API_JWKS_URL: one must be set, because every call needs a"
                " token that can be checked"
            )
        if not self.dev:
            needed = {
                "MAESTRO_API_JWT_ISSUER": self.jwt_issuer,
                "MAESTRO_API_JWT_AUDIENCE": self.jwt_audience,
            }
            found += [
                f"{name}: must be set, or tokens made for others would be taken"
                for name, value in needed.items()
                if value is None
            ]
        return tuple(found)

    @field_validator("jwt_algorithms", "jwt_types", "cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        odd = [
            origin
            for origin in value
            if not origin.startswith(("https://", "http://")) or origin.endswith("/")
        ]
        if odd:
            message = f"{', '.join(odd)}: write an origin like https://app.example.org; no `*`, no path"
            raise ValueError(message)
        return value

    @field_validator("jwks_url")
    @classmethod
    def _is_protected(cls, value: str | None) -> str | None:
        near = ("http://127.0.0.1", "http://localhost", "http://[::1]")
        if value is not None and not value.startswith(
            ("https://", *(f"{each}{end}" for each in near for end in ":/"))
        ):
            message = "who can change the keys on their way can make tokens: use https://"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _keys_fit_the_algorithms(self) -> "ApiSettings":
        if self.jwt_secret is not None and self.jwks_url is not None:
            message = "MAESTRO_API_JWT_SECRET and MAESTRO_API_JWKS_URL exclude each other: unset one"
            raise ValueError(message)
        hmac: list[Algorithm] = [name for name in self.algorithms if name in HASH_BYTES]
        if hmac and len(hmac) < len(self.algorithms):
            message = (
                "MAESTRO_API_JWT_ALGORITHMS: HS* and algorithms with public keys exclude each other, or a"
                " public key could be used as a secret"
            )
            raise ValueError(message)
        if hmac and self.jwks_url is not None:
            message = "MAESTRO_API_JWT_ALGORITHMS: HS* needs MAESTRO_API_JWT_SECRET, not a key set"
            raise ValueError(message)
        if self.jwt_secret is not None:
            self._secret_fits(self.jwt_secret, hmac)
        return self

    def _secret_fits(self, secret: SecretStr, hmac: list[Algorithm]) -> None:
        if not hmac:
            message = (
                "MAESTRO_API_JWT_ALGORITHMS: only HS* goes with a secret; others need MAESTRO_API_JWKS_URL"
            )
            raise ValueError(message)
        least = max(HASH_BYTES[name] for name in hmac)
        if len(secret.get_secret_value().encode()) < least:
            message = f"MAESTRO_API_JWT_SECRET: {', '.join(hmac)} needs at least {least} bytes, at random"
            raise ValueError(message)

    @model_validator(mode="after")
    def _defaults_fit_the_limits(self) -> "ApiSettings":
        for what in ("SESSIONS", "MESSAGES"):
            usual: int = getattr(self, f"default_{what.lower()}_per_page")
            most: int = getattr(self, f"max_{what.lower()}_per_page")
            if usual > most:
                message = f"DEFAULT_{what}_PER_PAGE is {usual}, more than MAX_{what}_PER_PAGE ({most})"
                raise ValueError(message)
        return self
