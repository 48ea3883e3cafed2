"""What may be configured on a webhook channel."""

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, IPvAnyNetwork, SecretStr, model_validator
from yarl import URL

from adapters.exchange import CaFile
from adapters.webhook.signature import secret_bytes


def _plain(value: str) -> str:
    try:
        url = URL(value)
    except ValueError:
        raise ValueError("must be an https:// address") from None
    if url.scheme not in {"https", "http"} or not url.host:
        raise ValueError("must be an https:// address")
    if url.user is not None or url.password is not None or url.fragment:
        raise ValueError("must carry neither a user nor a fragment")
    return value


def _readable(value: SecretStr) -> SecretStr:
    secret_bytes(value)
    return value


class WebhookConfig(BaseModel):
    """`secret` is `whsec_` and base64, or taken as it is. `timeout` is for one try, in seconds.

    `allow_private` are networks reachable although private, and the only ones an http:// address may reach.
    """

    # What is wrong with a secret must not be shown with the secret.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: Annotated[str, AfterValidator(_plain)]
    secret: Annotated[SecretStr, AfterValidator(_readable)]
    allow_private: tuple[IPvAnyNetwork, ...] = ()
    ca_file: CaFile = ""
    timeout: float = Field(default=10.0, gt=0, le=120)

    @model_validator(mode="after")
    def _unencrypted_only_at_home(self) -> Self:
        if URL(self.url).scheme == "http" and not self.allow_private:
            raise ValueError("url: http:// reaches only networks listed in allow_private; use https://")
        return self
