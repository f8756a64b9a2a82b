import seq2serve

NAMES = {
    "Accepted",
    "AsyncClient",
    "AsyncTranslationStream",
    "BulkResult",
    "Cancelled",
    "Client",
    "ClientLimit",
    "DeadlineExceeded",
    "DeadlineUnmeetable",
    "Delta",
    "Draining",
    "EmptySource",
    "FailedPrecondition",
    "FieldViolation",
    "GlossaryTerm",
    "Hypothesis",
    "InternalError",
    "InvalidOption",
    "InvalidRequest",
    "Item",
    "LanguagePair",
    "LanguagePairNotFound",
    "Link",
    "MalformedRequest",
    "Model",
    "ModelLanguageMismatch",
    "ModelNotFound",
    "ModelNotReady",
    "ModelVersion",
    "NotFound",
    "Notice",
    "Outcome",
    "Pending",
    "PermissionDenied",
    "QueueFull",
    "ResourceExhausted",
    "ScoreOptions",
    "Scored",
    "Sentence",
    "Seq2ServeError",
    "ServerUnreachable",
    "Source",
    "SourceTooLong",
    "Timing",
    "Tokens",
    "TrainingScore",
    "TranslateOptions",
    "Translation",
    "TranslationStream",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "UnsupportedOption",
    "Usage",
    "VersionNotFound",
    "Word",
    "__version__",
}


def test_public_names_are_pinned() -> None:
    assert set(seq2serve.__all__) == NAMES
    assert all(hasattr(seq2serve, name) for name in NAMES)


def test_every_error_is_public() -> None:
    from seq2serve import errors

    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.Seq2ServeError)
    }
    assert defined <= NAMES
