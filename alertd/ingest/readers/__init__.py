"""Pure readers: the bytes of one payload to what they say. No I/O, no clock of their own; the time comes with the
payload. Whatever the bytes are, the answer is `Heard`: what cannot be read is a violation, never an exception."""
