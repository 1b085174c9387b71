"""The page /docs: the OpenAPI description as one page that asks nobody else for anything, as Swagger's would."""

import json
from html import escape
from typing import Any

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#2a1a14}"
    "code,pre{font:14px/1.45 ui-monospace,monospace;background:#f4f2ee}"
    "pre{padding:.8rem;white-space:pre-wrap;overflow-wrap:anywhere}h2 code{font-size:1.1rem}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;"
    "border-bottom:1px solid #e6dfd3}h2{margin-top:2.2rem}"
)


def page_of(description: dict[str, Any], address: str) -> str:
    """HTML of an OpenAPI description; `address` is that of the service, without a final slash."""
    parts = [f"<h1>{escape(description['info']['title'])}</h1>"]
    parts.append(
        "<p>Model version "
        f"{escape(description['info']['version'])}. The same as OpenAPI: <a href='/openapi.json'>openapi.json</a>.</p>"
    )
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            parts += _operation(method.upper(), path, address, operation)
    body = "\n".join(parts)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(description['info']['title'])}</title><style>{_STYLE}</style></head><body>{body}</body></html>"
    )


def _operation(method: str, path: str, address: str, operation: dict[str, Any]) -> list[str]:
    parts = [f"<h2><code>{method} {escape(path)}</code></h2><p>{escape(operation.get('summary', ''))}</p>"]
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content:
        example = json.dumps(content["example"])
        call = f"curl -H 'content-type: application/json' -d '{example}' {address}{path}"
        parts.append(f"<pre>{escape(call)}</pre>")
        parts += _fields("Each place", content["schema"]["oneOf"][-1]["properties"])
        answer = operation["responses"]["200"]["content"]["application/json"]["schema"]["properties"]
        parts += _fields("Answer", {name: field for name, field in answer.items() if name != "predictions"})
        parts += _fields("Each of <code>predictions</code>", answer["predictions"]["items"]["properties"])
        refused = {code: each for code, each in operation["responses"].items() if code != "200"}
        parts += _fields('Refused, with <code>{"error": ...}</code>', refused)
    return parts


def _fields(title: str, fields: dict[str, Any]) -> list[str]:
    lines = [
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(_kind(field))}</td>"
        f"<td>{escape(field.get('description', ''))}</td></tr>"
        for name, field in fields.items()
    ]
    return [f"<h3>{title}</h3><table>{''.join(lines)}</table>"]


def _kind(field: dict[str, Any]) -> str:
    kind = field.get("type", "")
    return kind if isinstance(kind, str) else " or ".join(kind)
