"""The sections of the post's own two problems, found as all others are; see ``report.context``."""
