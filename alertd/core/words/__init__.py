"""Putting an alert into words: who sends, what, where, until when, what to do; the mark of a drill first."""
