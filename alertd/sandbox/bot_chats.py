"""The chats of the stand-in Bot API and the messages in them."""

import json
import re
from dataclasses import dataclass, field

_CHAT = re.compile(r"-?[1-9]\d{0,15}|@[A-Za-z]\w{3,31}")


@dataclass(slots=True)
class Post:
    """One message in a chat; `edits` counts its later versions."""

    text: str
    reply_to: int | None
    edits: int = 0


@dataclass(slots=True)
class Chats:
    """Every number is a person who has started the bot, every negative number a group, every @name a channel,
    but for those in `missing` (chat not found)."""

    missing: set[str] = field(default_factory=set)
    posts: dict[str, list[Post]] = field(default_factory=dict)

    def exists(self, chat: str) -> bool:
        return _CHAT.fullmatch(chat) is not None and chat not in self.missing

    def describe(self, chat: str) -> dict[str, object]:
        """The Chat object."""
        if chat.startswith("@"):
            number = -1_000_000_000_000 - int.from_bytes(chat.encode()[:4])
            return {"id": number, "type": "channel", "title": chat[1:], "username": chat[1:]}
        if chat.startswith("-"):
            return {"id": int(chat), "type": "supergroup", "title": f"Group {chat[1:]}"}
        return {"id": int(chat), "type": "private", "first_name": f"Citizen {chat}"}

    def add(self, chat: str, post: Post) -> int:
        """The new message's id, counting from 1 in each chat."""
        posts = self.posts.setdefault(chat, [])
        posts.append(post)
        return len(posts)

    def find(self, chat: str, message_id: int) -> Post | None:
        posts = self.posts.get(chat, [])
        return posts[message_id - 1] if 1 <= message_id <= len(posts) else None


def reply_target(params: dict[str, str]) -> tuple[int | None, bool]:
    """The message this answers, and whether to send although it is not there (ReplyParameters)."""
    if reply := params.get("reply_parameters"):
        fields = json.loads(reply)
        return int(fields["message_id"]), bool(fields.get("allow_sending_without_reply", False))
    if reply := params.get("reply_to_message_id"):
        return int(reply), params.get("allow_sending_without_reply", "").lower() == "true"
    return None, False
