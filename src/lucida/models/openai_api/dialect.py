"""What a server understands: begun with what its provider is known for, and plainer after each refusal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from lucida.models.openai_api.address import Address
from lucida.models.openai_api.providers import FORMS, Form

_LIMITS = ("max_completion_tokens", "max_tokens")
_FORMATS = ("response_format", "json_schema", "json_object", "schema", "structured output", "guided", "grammar")
_OF_THE_IMAGE = (
    "image_url",
    "invalid image",
    "image data",
    "image too large",
    "could not process",
    "unsupported image",
)


@dataclass(frozen=True)
class Dialect:
    """The parameters that a server takes.

    Attributes:
        form: How strictly it can be held to a form of answers.
        temperature: It lets one choose the randomness.
        limit: Name of the parameter that limits the length; "" for none.
        logprobs: Alternatives a token with log-probabilities; 0 for none.
        samples: It gives several answers to one request.
        effort: It lets one choose how long it thinks.
    """

    form: Form
    temperature: bool
    limit: str
    logprobs: int
    samples: bool
    effort: bool

    @classmethod
    def of(cls, address: Address) -> Dialect:
        """Return what a provider's model is known to understand."""
        who, thinks = address.provider, address.offer.thinks
        # A model that thinks first takes neither, and its class tokens are sure of what the thoughts decided.
        return cls(who.answers, not thinks, who.limit, 0 if thinks else who.logprobs, who.samples, thinks)

    def parameters(
        self, schema: dict[str, Any] | None, *, longest: int, answers: int, heat: float, name: str = "labels"
    ) -> dict[str, Any]:
        """Return the parameters of one request, without model and messages.

        Args:
            schema: JSON schema of the answer; None for free text.
            longest: Tokens that an answer may have.
            answers: Answers wanted.
            heat: Randomness, 0 for none.
            name: What the schema is called.
        """
        found: dict[str, Any] = {self.limit: longest} if self.limit else {}
        if self.temperature:
            found["temperature"] = heat
        if self.effort:
            found["reasoning_effort"] = "low"
        if self.logprobs:
            found |= {"logprobs": True, "top_logprobs": self.logprobs}
        if self.samples and answers > 1:
            found["n"] = answers
        if schema is None:
            return found
        if self.form == "json_schema":
            wanted = {"name": name, "strict": is_strict(schema), "schema": schema}
            found["response_format"] = {"type": "json_schema", "json_schema": wanted}
        elif self.form == "json_object":
            found["response_format"] = {"type": "json_object"}
        return found

    def plainer(self, said: str) -> Dialect | None:
        """Return the dialect without what a server's refusal names; None where it names nothing that is left."""
        said = said.lower()
        if any(word in said for word in _OF_THE_IMAGE):
            return None
        if self.limit and self.limit in said:
            other = _LIMITS[self.limit == _LIMITS[0]]
            return replace(self, limit="" if self.limit == _LIMITS[1] and other not in said else other)
        if self.effort and "reasoning" in said:
            return replace(self, effort=False)
        if self.temperature and "temperature" in said:
            return replace(self, temperature=False)
        if self.logprobs and "logprob" in said:
            return replace(self, logprobs=5 if self.logprobs > 5 and "top_logprobs" in said else 0)
        if self.samples and ("'n'" in said or "`n`" in said or "n > 1" in said or "n must" in said):
            return replace(self, samples=False)
        if self.form != "text" and any(word in said for word in _FORMATS):
            return replace(self, form=FORMS[FORMS.index(self.form) + 1])
        return None

    @property
    def plainest(self) -> Dialect:
        """What every server takes."""
        return Dialect("text", False, _LIMITS[1], 0, False, False)


def is_strict(schema: Any) -> bool:
    """Tell whether a schema is within what strict modes allow: every key is required, and no other may be there."""
    if not isinstance(schema, dict):
        return not isinstance(schema, bool)
    if schema.get("type") == "object" or "properties" in schema:
        named = schema.get("properties", {})
        if schema.get("additionalProperties") is not False or set(schema.get("required", ())) != set(named):
            return False
    parts = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]
    parts += [schema["items"]] if "items" in schema else []
    parts += [part for key in ("anyOf", "oneOf", "allOf", "prefixItems") for part in schema.get(key, [])]
    return all(is_strict(part) for part in parts)
