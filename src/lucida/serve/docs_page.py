"""The page /docs: the OpenAPI description as plain HTML, without a script, from no other server."""

from __future__ import annotations

from html import escape
from typing import Any, Final

DOCS_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
}
_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
code, pre { font: 14px/1.5 ui-monospace, monospace; background: #f3f3f1; border-radius: 4px; padding: .1em .3em }
pre { padding: .8em; overflow-x: auto } summary { cursor: pointer } h2 { margin-top: 2.5rem }
table { border-collapse: collapse; width: 100% } td { vertical-align: top; padding: .3em .8em .3em 0 }
tr + tr { border-top: 1px solid #ddd } b { font-weight: 600 } .method { color: #777; font-weight: 400 }
@media (prefers-color-scheme: dark) {
  body { background: #181818; color: #ddd } code, pre { background: #262626 } tr + tr { border-color: #444 } }
"""


def docs_page(openapi: dict[str, Any]) -> str:
    """Return the page.

    Args:
        openapi: The description, as /openapi.json has it.
    """
    info, schemas = openapi["info"], openapi.get("components", {}).get("schemas", {})
    parts = [
        _operation(path, method, operation, schemas)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(info['title'])}: addresses</title><style>{_STYLE}</style>"
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info['description'])}</p>"
        '<p>For programs: <a href="openapi.json">openapi.json</a>. Every answer carries <code>x-request-id</code>.</p>'
        f"{''.join(parts)}</html>"
    )


def _operation(path: str, method: str, operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    body = operation.get("requestBody", {}).get("content", {})
    form = body.get("multipart/form-data", {}).get("schema")
    answers = operation["responses"]
    shown = [
        f'<h2 id="{escape(operation["operationId"])}"><span class="method">{method.upper()}</span> {escape(path)}</h2>'
    ]
    shown.append(f"<p>{escape(operation.get('summary', ''))}</p>")
    if form:
        required = form.get("required", [])
        fields = "".join(f" -F {name}=…" for name in required if name != "image")
        # What needs no image is asked in words.
        asked = "-F image=@x.jpg" if "image" in required or "images" in required else f"-F {_words(form)}=…"
        shown.append(f"<pre>curl {escape(asked + fields)} localhost:8000{escape(path)}</pre>")
        shown.append(_table(form, schemas))
    elif body:
        shown.append(_table(body["application/json"]["schema"], schemas))
    good = answers.get("200", {}).get("content", {}).get("application/json", {}).get("schema")
    if good:
        shown.append("<p><b>Answer</b></p>" + _table(_resolved(good, schemas), schemas))
    refusals = [(status, one.get("description", "")) for status, one in answers.items() if status != "200"]
    if refusals:
        rows = "".join(f"<tr><td><code>{status}</code><td>{escape(why)}" for status, why in refusals)
        shown.append(f"<details><summary>Refusals</summary><table>{rows}</table></details>")
    return "".join(shown)


def _words(form: dict[str, Any]) -> str:
    """Return the name of the field that says in words what is wanted."""
    return next((name for name in ("prompt", "text") if name in form["properties"]), "model")


def _resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rsplit("/", 1)[-1]
    found: dict[str, Any] = schemas.get(name, schema)
    return found


def _table(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    required = schema.get("required", [])
    rows = [
        f"<tr><td><code>{escape(name)}</code>{'' if name in required else ' <small>optional</small>'}"
        f"<td>{escape(_type(one, schemas))}<td>{escape(one.get('description', ''))}"
        for name, one in schema.get("properties", {}).items()
    ]
    return f"<table>{''.join(rows)}</table>"


def _type(schema: dict[str, Any], schemas: dict[str, Any], depth: int = 0) -> str:
    if "$ref" in schema:
        inner = _resolved(schema, schemas)
        fields = inner.get("properties", {}) if depth < 2 else {}
        return "{" + ", ".join(fields) + "}" if fields else schema["$ref"].rsplit("/", 1)[-1]
    if "anyOf" in schema:
        kinds = [_type(one, schemas, depth) for one in schema["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if schema.get("type") == "array":
        items = schema.get("prefixItems")
        if items:
            return "[" + ", ".join(_type(one, schemas, depth + 1) for one in items) + "]"
        return "list of " + _type(schema.get("items", {}), schemas, depth + 1)
    if "additionalProperties" in schema and isinstance(schema["additionalProperties"], dict):
        return "table of " + _type(schema["additionalProperties"], schemas, depth + 1)
    return str("file" if schema.get("format") == "binary" else schema.get("type", "anything"))
