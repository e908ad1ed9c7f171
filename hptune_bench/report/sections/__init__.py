"""The sections of every campaign's report: a module each, found by ``report.context.sections``."""
