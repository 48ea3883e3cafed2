"""What a sandbox says of itself: where it listens and with what it may be spoken to."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Description:
    """The secrets are also kept in files, because a configuration names files and never holds a secret.

    They are good for this sandbox and nothing else.
    """

    control_url: str
    ca_file: str
    push_origin: str
    mail_host: str
    mail_port: int
    mail_tls: str
    bot_base_url: str
    bot_token: str
    bot_token_file: str
    hook_url: str
    hook_secret: str
    hook_secret_file: str

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> "Description":
        return cls(**json.loads(text))
