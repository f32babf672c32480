"""The functions that a model's SQL may call: none reaches files, settings, locks or very much memory."""

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ALLOWED_NAMES: Final = _words(
    """
    age array_length array_position array_positions array_upper array_lower array_remove bool_and btrim
    cardinality cbrt char_length character_length clock_timestamp cume_dist date_part degrees dense_rank div
    every factorial gcd isfinite json_array_elements json_array_elements_text json_array_length
    json_build_array json_build_object json_each json_each_text json_object_agg json_object_keys
    json_populate_record json_strip_nulls json_to_record json_to_recordset json_typeof jsonb_agg
    jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object
    jsonb_each jsonb_each_text jsonb_object_agg jsonb_object_keys jsonb_path_exists jsonb_path_query
    jsonb_strip_nulls jsonb_typeof justify_days justify_hours justify_interval lcm log10 ltrim make_date
    make_time make_timestamp make_timestamptz min_scale mode octet_length percent_rank radians range_merge
    regexp_count regexp_instr regexp_match regexp_matches regexp_split_to_array regexp_split_to_table
    regexp_substr regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy
    regr_syy row row_to_json rtrim scale starts_with statement_timestamp string_to_table timezone to_hex
    to_json to_jsonb transaction_timestamp translate trim_scale
    """
)
"""Lower-case names of functions that the parser keeps as they are."""

ALLOWED_EXPRESSIONS: Final = _words(
    """
    Abs Acos And Any All Array ArrayAgg ArrayConcat ArrayContains ArrayContainsAll ArrayOverlaps ArraySize
    ArrayToString Ascii Asin Atan Atan2 AtTimeZone Avg Between BitwiseAndAgg BitwiseOrAgg Case Cast Cbrt
    Ceil Chr Coalesce Collate Concat ConcatWs Corr Cos Cot Count CountIf CovarPop CovarSamp CumeDist
    CurrentDate CurrentTime CurrentTimestamp Date DateAdd DateBin DateDiff DateFromParts DateSub DateTrunc
    Degrees DenseRank Div Exists Exp Explode ExplodingGenerateSeries Extract FirstValue Floor GenerateSeries
    Greatest GroupConcat Grouping If Initcap JSONArray JSONArrayAgg JSONBContains JSONBExtract
    JSONBExtractScalar JSONBObjectAgg JSONExtract JSONExtractScalar JSONObject JSONObjectAgg JustifyDays
    JustifyHours JustifyInterval Lag LastValue Lead Least Left Length Levenshtein Ln Localtime
    Localtimestamp Log LogicalAnd LogicalOr Lower MD5 MakeInterval Max Median Min Mod Mode Not NthValue
    Ntile Nullif Or Overlay PercentRank PercentileCont PercentileDisc Pi Pow Quarter Radians Rand Rank
    RegexpCount RegexpExtract RegexpILike RegexpLike RegexpReplace Replace Reverse Right Round RowNumber
    SHA2 Sign Sin Split SplitPart Sqrt StartsWith Stddev StddevPop StddevSamp StrPosition StrToDate
    StrToTime StringToArray Substring Sum Tan TimeToStr TimestampAdd TimestampDiff TimestampFromParts
    TimestampSub TimestampTrunc ToChar ToNumber Translate Trim Trunc TsOrDsToDate UnixToTime Unnest Upper
    Variance VariancePop WidthBucket Xor
    """
)
"""Functions that the parser knows, by the names of its classes."""
