"""Answers that show the credential of their request, in names, in undeclared fields and in what a refusal says."""

import base64

from starlette.requests import Request

from dcycle_pipeline.sandbox.faults.behaviour import Behaviour

# Texts that every answer has somewhere: names of organisations and facilities, labels of records, details of refusals.
_SHOWN = (b'"name":"', b'"invoice_id":"', b'"detail":"')
_UNIT = b"cubic_meter"  # with the credential before it, a unit would be another one


def echoed(body: bytes, request: Request, behaviour: Behaviour) -> bytes:
    """The JSON of an answer, with the credential of its request in it if the behaviour says so."""
    credential = request.headers.get("x-api-key") or request.headers.get("authorization", "").partition(" ")[2]
    if not behaviour.echo or not credential:
        return body
    forms = b" ".join(_forms(credential))
    for start in _SHOWN:
        body = body.replace(start, start + forms + b" ")
    body = body.replace(forms + b" " + _UNIT, _UNIT)
    return body.replace(b'{"id":', b'{"asked_with":"%b","%b":true,"id":' % (forms, credential.encode()))


def _forms(credential: str) -> list[bytes]:
    return [
        credential.encode(),
        "".join(f"\\u{ord(character):04x}" for character in credential).encode(),
        "".join(f"%{byte:02X}" for byte in credential.encode()).encode(),
        base64.b64encode(f"user:{credential}".encode()),
    ]
