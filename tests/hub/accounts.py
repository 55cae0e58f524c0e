"""Who may do what: tokens, private and gated repositories."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from tests.hub.protocol import Refusal
from tests.hub.store import Repository


@dataclass(frozen=True)
class Account:
    """A user, as one of its tokens shows it.

    Attributes:
        name: Which is also a namespace of repositories.
        write: Whether the token may change anything.
        organisations: Further namespaces of which the user is a member.
    """

    name: str
    write: bool
    organisations: tuple[str, ...] = ()

    def owns(self, namespace: str) -> bool:
        """Return whether repositories of a namespace are the user's own."""
        return namespace == self.name or namespace in self.organisations


class Accounts:
    """All tokens of a hub."""

    def __init__(self) -> None:
        """Begin with none."""
        self._tokens: dict[str, Account] = {}

    def add(self, account: Account) -> str:
        """Return a new token for an account."""
        token = f"hf_{secrets.token_hex(16)}"
        self._tokens[token] = account
        return token

    def identify(self, authorization: str | None) -> Account | None:
        """Return whose token a request carries, None if it carries none.

        Raises:
            Refusal: If the token is not known.
        """
        if authorization is None:
            return None
        account = self._tokens.get(authorization.removeprefix("Bearer "))
        if account is None:
            raise Refusal(401, "Invalid credentials in Authorization header")
        return account


def check_signed_in(account: Account | None) -> Account:
    """Return the account.

    Raises:
        Refusal: If the request carries no token.
    """
    if account is None:
        raise Refusal(401, "Invalid username or password.")
    return account


def check_visible(repository: Repository | None, account: Account | None) -> Repository:
    """Return a repository that the account may see.

    A private repository of others and a missing one give the same answer, as on the Hub: 401
    without a token and 404 with one. The Hub leaves out the code with 401 and its clients then
    go by the https address; here it is sent, for the address is http.

    Raises:
        Refusal: If there is none.
    """
    if repository is not None and not repository.private:
        return repository
    if repository is not None and account is not None and account.owns(repository.owner):
        return repository
    if account is None:
        raise Refusal(401, "Invalid username or password.", "RepoNotFound")
    raise Refusal(404, "Repository not found", "RepoNotFound")


def check_content(repository: Repository, account: Account | None) -> None:
    """Refuse the files of a gated repository to those who are not on its list.

    Raises:
        Refusal: 401 without a token, 403 with one.
    """
    if not repository.gated:
        return
    if account is None:
        message = f"Access to dataset {repository.id} is restricted. You must be authenticated."
        raise Refusal(401, message, "GatedRepo")
    if not account.owns(repository.owner) and account.name not in repository.granted:
        message = f"Access to dataset {repository.id} is restricted. You are not on the list."
        raise Refusal(403, message, "GatedRepo")


def check_writable(namespace: str, account: Account | None) -> Account:
    """Return an account that may change what belongs to a namespace.

    Raises:
        Refusal: 401 without a token, 403 with one that has not the right.
    """
    account = check_signed_in(account)
    if not account.write:
        raise Refusal(403, "This token has the role read; a token with the role write is needed")
    if not account.owns(namespace):
        raise Refusal(403, f'You have no rights under the namespace "{namespace}"')
    return account
