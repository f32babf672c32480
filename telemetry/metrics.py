"""Every metric, with a sentence. Units are in the names; labels are few and bounded: never an id.

`python -m maestro.metrics_docs` writes docs/metrics.md from it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

from prometheus_client import Counter, Gauge, Histogram

Metric: TypeAlias = Counter | Gauge | Histogram

SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
MINUTES_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
"""In seconds too, for what takes as long as models, tools and people do."""

PROCESS_INFO = Gauge("maestro_process_info", "Always 1: which program this is.", ["program", "version"])
IS_LIVE = Gauge("maestro_live", "1 when /live says yes.")
IS_READY = Gauge("maestro_ready", "1 when /ready says yes.")
LOOP_SILENT_SECONDS = Gauge(
    "maestro_loop_silent_seconds", "Seconds since the event loop last showed that it goes round."
)
STORE_UP = Gauge("maestro_store_up", "1 when a store answered when it was last asked.", ["store"])

IS_MEMBER = Gauge(
    "maestro_member", "1 while the process is a member of its consumer group and knows its coordinator."
)
OWNED_PARTITIONS = Gauge("maestro_owned_partitions", "Partitions of all topics that are assigned here.")
REBALANCES = Counter("maestro_rebalances_total", "Assignments that this process was given.")
LAG_MESSAGES = Gauge(
    "maestro_lag_messages",
    "Messages that are not processed, in the partitions of a topic that are assigned here.",
    ["topic"],
)
OLDEST_SECONDS = Gauge(
    "maestro_oldest_message_age_seconds",
    "Age of the oldest message that is not processed, in the partitions of a topic that are assigned here;"
    " of one that has not come in yet, the seconds since it has been seen to wait.",
    ["topic"],
)
REDELIVERIES = Counter(
    "maestro_redeliveries_total",
    "Messages that came again although their work was done (finished: by this process, context: in the"
    " session) or under way (running).",
    ["found"],
)
DEAD_LETTERS = Counter("maestro_dead_letters_total", "Messages kept as dead letters.", ["topic", "reason"])

STEPS_IN_FLIGHT = Gauge("maestro_steps_in_flight", "Steps that hold a slot.")
STEP_SECONDS = Histogram(
    "maestro_step_seconds",
    "Seconds that one try of a step took, waits included, by the topic of its message.",
    ["topic"],
    buckets=SECONDS_BUCKETS,
)
STEP_RETRIES = Counter(
    "maestro_step_retries_total",
    "Steps tried again after a transient error, by error code.",
    ["topic", "code"],
)
STEPS_REPLAYED = Counter(
    "maestro_steps_replayed_total", "Finished steps whose stored result was published again.", ["role"]
)
LEASE_TAKEOVERS = Counter(
    "maestro_lease_takeovers_total",
    "Steps claimed after another attempt that had not finished: its process died, froze or was stopped.",
    ["role"],
)
LEASES_LOST = Counter(
    "maestro_leases_lost_total", "Steps that went to another attempt while this process worked.", ["role"]
)

DECISIONS = Counter("maestro_decisions_total", "Decisions of sessions, by the topic of what came.", ["topic"])
RUNS_ENDED = Counter(
    "maestro_runs_ended_total", "Runs by outcome and by why they ended.", ["status", "reason"]
)
RUN_SECONDS = Histogram(
    "maestro_run_seconds",
    "Seconds from a message's arrival to the end of its run, waits for people included.",
    ["status"],
    buckets=MINUTES_BUCKETS,
)
CONTEXT_CONFLICTS = Counter(
    "maestro_context_conflicts_total", "Compare-and-sets of a context that lost: another writer was first."
)
CONTEXT_REBUILDS = Counter(
    "maestro_context_rebuilds_total", "Contexts folded again from the record because Redis did not have them."
)
RECORD_GAPS = Counter(
    "maestro_record_gaps_total",
    "Rebuilds that failed because rows of a session's log are missing in the record. Must stay 0.",
)

GENERATIONS = Counter("maestro_generations_total", "Model calls by outcome.", ["model", "status"])
GENERATION_FAILURES = Counter(
    "maestro_generation_failures_total",
    "Model calls that failed, by error code and what followed: retry, fall_back or give_up.",
    ["model", "code", "step"],
)
GENERATION_SECONDS = Histogram(
    "maestro_generation_seconds",
    "Seconds until a model's answer, repeated calls included.",
    ["model"],
    buckets=MINUTES_BUCKETS,
)
GENERATION_TOKENS = Counter("maestro_generation_tokens_total", "Tokens by kind.", ["model", "kind"])
GENERATION_COST = Counter(
    "maestro_generation_cost_dollars_total",
    "US dollars for answers of models whose price is known.",
    ["model"],
)
TOKENS_BOUGHT_TWICE = Counter(
    "maestro_tokens_bought_twice_total",
    "Tokens of answers that were bought although another attempt had bought the answer (certain), or may have"
    " before its process died (possible).",
    ["model", "certainty"],
)

TOOL_CALLS = Counter("maestro_tool_calls_total", "Tool calls by outcome.", ["tool", "outcome"])
TOOL_STARTS_REPEATED = Counter(
    "maestro_tool_starts_repeated_total",
    "Tools that were started although another attempt had started them (certain), or may have before its"
    " process died (possible), by effect class: pure or idempotent, for others are not started again.",
    ["effect", "certainty"],
)

MESSAGES_PUBLISHED = Counter(
    "maestro_messages_published_total", "Messages that the broker acknowledged.", ["topic"]
)
PUBLISH_FAILURES = Counter(
    "maestro_publish_failures_total",
    "Messages that could not be published, by error code.",
    ["topic", "code"],
)
PUBLISH_SECONDS = Histogram(
    "maestro_publish_seconds",
    "Seconds from publish to the broker's acknowledgement.",
    buckets=SECONDS_BUCKETS,
)
UNACKNOWLEDGED_SECONDS = Gauge(
    "maestro_unacknowledged_seconds",
    "Age of the oldest message that the broker has not acknowledged; 0 when none waits.",
)

SINK_ROWS = Counter("maestro_sink_rows_total", "Rows written to the record.", ["sink", "table"])
SINK_BATCH_SECONDS = Histogram(
    "maestro_sink_batch_seconds", "Seconds of one sink transaction.", ["sink"], buckets=SECONDS_BUCKETS
)
SINK_RETRIES = Counter(
    "maestro_sink_retries_total", "Batches tried again because the store or the broker did not answer."
)

HTTP_REQUESTS = Counter(
    "maestro_http_requests_total",
    "Calls of the API, by method, route (none: there is no such path) and status; status 0: the caller left"
    " before an answer.",
    ["method", "route", "status"],
)
HTTP_SECONDS = Histogram(
    "maestro_http_seconds",
    "Seconds until an answer of the API began, by route; that of a stream is its first byte.",
    ["route"],
    buckets=SECONDS_BUCKETS,
)

CATALOGUE: Mapping[str, tuple[Metric, ...]] = MappingProxyType(
    {
        "The process": (PROCESS_INFO, IS_LIVE, IS_READY, LOOP_SILENT_SECONDS, STORE_UP),
        "Consuming": (
            IS_MEMBER,
            OWNED_PARTITIONS,
            REBALANCES,
            LAG_MESSAGES,
            OLDEST_SECONDS,
            REDELIVERIES,
            DEAD_LETTERS,
        ),
        "Steps": (
            STEPS_IN_FLIGHT,
            STEP_SECONDS,
            STEP_RETRIES,
            STEPS_REPLAYED,
            LEASE_TAKEOVERS,
            LEASES_LOST,
        ),
        "Sessions and runs": (
            DECISIONS,
            RUNS_ENDED,
            RUN_SECONDS,
            CONTEXT_CONFLICTS,
            CONTEXT_REBUILDS,
            RECORD_GAPS,
        ),
        "Models": (
            GENERATIONS,
            GENERATION_FAILURES,
            GENERATION_SECONDS,
            GENERATION_TOKENS,
            GENERATION_COST,
            TOKENS_BOUGHT_TWICE,
        ),
        "Tools": (TOOL_CALLS, TOOL_STARTS_REPEATED),
        "Publishing": (MESSAGES_PUBLISHED, PUBLISH_FAILURES, PUBLISH_SECONDS, UNACKNOWLEDGED_SECONDS),
        "Sinks": (SINK_ROWS, SINK_BATCH_SECONDS, SINK_RETRIES),
        "HTTP": (HTTP_REQUESTS, HTTP_SECONDS),
    }
)
"""Every metric under the heading that its page shows."""
