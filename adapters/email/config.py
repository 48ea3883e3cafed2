"""How a mail channel is configured: the relay, who writes, where bounces go."""

from email.utils import getaddresses
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from adapters.email.address import MAX_LOCAL, normalize, normalize_domain
from adapters.email.dkim_key import read_key

_VERP_TAIL = 20  # "+" and the longest delivery id
_PRINTABLE_HOST = r"^[A-Za-z0-9._:-]+$"
_SELECTOR = r"^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$"


class DkimConfig(BaseModel):
    """`dkim = {domain = "comune.example.it", selector = "alertd", key = {file = "dkim.pem"}}` (RFC 6376).

    The key is RSA or Ed25519, PEM without a passphrase; its public half stands in the DNS at
    `<selector>._domainkey.<domain>`. Leave it out where the relay signs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    domain: str
    selector: str = Field(pattern=_SELECTOR)
    key: SecretStr

    @field_validator("domain")
    @classmethod
    def _domain_is_one(cls, value: str) -> str:
        return normalize_domain(value)

    @field_validator("key")
    @classmethod
    def _key_can_sign(cls, value: SecretStr) -> SecretStr:
        read_key(value.get_secret_value())
        return value


class EmailConfig(BaseModel):
    """`[channels.<name>]` with `adapter = "email"`.

    timeout: seconds for one message, and for opening one connection. connections: how many at most for emergencies,
    and as many again for everything else; they are opened as they are needed. concurrency: messages out at once,
    likewise; more than connections, because a relay that offers PIPELINING is sent some ahead. rate: messages a
    second, none if absent. chunking: use BDAT where the relay offers it; false for one that does it badly.

    return_path: the envelope sender that bounces come back to, an address or a domain (then `bounces@domain`);
    default the address of `from`. With `verp` (default) each delivery gets its own, `name+<delivery id>@domain`,
    so the mail server must deliver `name+anything` like `name`; `verp = false` where it cannot.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, hide_input_in_errors=True)

    host: str = Field(pattern=_PRINTABLE_HOST)
    port: int = Field(default=25, ge=1, le=65_535)
    tls: Literal["none", "starttls", "implicit"] = "none"
    ca_file: str = ""
    username: str = ""
    password: SecretStr | None = None
    from_: str = Field(alias="from")
    timeout: float = Field(default=30.0, gt=0, le=600)
    connections: int = Field(default=8, ge=1, le=64)
    concurrency: int = Field(default=1_024, ge=1, le=4_096)
    rate: float | None = Field(default=None, gt=0)
    list_id: str = ""
    return_path: str = ""
    verp: bool = True
    chunking: bool = True
    dkim: DkimConfig | None = None

    @property
    def author(self) -> tuple[str, str]:
        """The display name (may be empty) and the canonical address of `from`."""
        name, address = getaddresses([self.from_])[0]
        return " ".join(name.split()), normalize(address)

    @property
    def bounce_address(self) -> str:
        """The envelope sender before VERP."""
        if not self.return_path:
            return self.author[1]
        if "@" in self.return_path:
            return normalize(self.return_path)
        return f"bounces@{normalize_domain(self.return_path)}"

    @field_validator("from_")
    @classmethod
    def _one_author(cls, value: str) -> str:
        if not value.isprintable() or len(getaddresses([value])) != 1:
            raise ValueError('one address is wanted, as in "Name <name@example.org>"; quote a name with commas')
        normalize(getaddresses([value])[0][1])
        return value

    @field_validator("list_id")
    @classmethod
    def _list_id_is_a_domain(cls, value: str) -> str:
        return normalize_domain(value) if value else value

    @field_validator("ca_file")
    @classmethod
    def _ca_file_exists(cls, value: str) -> str:
        if value and not Path(value).is_file():
            raise ValueError("no such file")
        return value

    @model_validator(mode="after")
    def _bounces_fit(self) -> Self:
        local = self.bounce_address.partition("@")[0]
        if self.verp and len(local) > MAX_LOCAL - _VERP_TAIL:
            raise ValueError("return_path: the name is too long for name+<delivery id>; give a shorter one")
        return self

    @model_validator(mode="after")
    def _password_is_protected(self) -> Self:
        if bool(self.username) != (self.password is not None):
            raise ValueError("username and password belong together")
        if self.username and self.tls == "none" and not _is_loopback(self.host):
            raise ValueError('tls: "none" would send the password readable; use "starttls" or "implicit"')
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
